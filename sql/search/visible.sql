-- The chunks among $2 that the caller may see and the filter lets through, with their distances.
SELECT k.chunk_id, ({distance})::float8 FROM {chunk} k WHERE k.chunk_id = ANY ($2) AND {passes k}
