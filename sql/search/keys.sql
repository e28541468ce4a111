SELECT k.chunk_id, ({key_json k})::text FROM {chunk} k WHERE k.chunk_id = ANY ($2)
