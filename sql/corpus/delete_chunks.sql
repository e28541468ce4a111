DELETE FROM {chunk} k WHERE k.chunk_id = ANY ($1)
