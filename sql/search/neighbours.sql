-- The chunks around each of $2, itself included.
SELECT DISTINCT n.ordinal, n.start_offset, n.end_offset, n.content, {keys s}
FROM {chunk} k JOIN {chunk} n ON {same n k} AND n.ordinal BETWEEN k.ordinal - {reach} AND k.ordinal + {reach}
JOIN {source} s ON {same s k}
WHERE k.chunk_id = ANY ($2)
