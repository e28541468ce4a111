SELECT {keys d}, count(k.chunk_id) AS found, d.chunk_count AS expected
FROM {document} d LEFT JOIN {chunk} k ON {same k d}
GROUP BY {keys d}, d.chunk_count
HAVING count(k.chunk_id) <> d.chunk_count OR count(DISTINCT k.ordinal) <> d.chunk_count
    OR coalesce(max(k.ordinal), 0) <> d.chunk_count
