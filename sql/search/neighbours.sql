-- The chunks around each of $2, itself included.
SELECT DISTINCT {key_json s}, n.ordinal, n.start_offset, n.end_offset, n.content
FROM {chunk} k JOIN {chunk} n ON {same n k} AND n.ordinal BETWEEN k.ordinal - {reach} AND k.ordinal + {reach}
JOIN {source} s ON {same s k}
WHERE k.chunk_id = ANY ($2)
