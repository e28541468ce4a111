-- By comparing the vectors of the chunks $2, which are known to pass.
SELECT k.chunk_id, ({distance})::float8 FROM {chunk} k WHERE k.chunk_id = ANY ($2)
ORDER BY ({distance}) + 0.0::float8 LIMIT {limit}
