-- Those of the chunks $2 that the caller may see and the filter lets through, and how far they are.
SELECT k.chunk_id, ({distance})::float8 FROM {chunk} k WHERE k.chunk_id = ANY ($2) AND {passes k}
