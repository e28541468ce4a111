SELECT k.chunk_id FROM {chunk} k
