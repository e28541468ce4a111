SELECT k.chunk_id, k.embedding FROM {chunk} k WHERE k.chunk_id = ANY ($2)
