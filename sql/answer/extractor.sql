SELECT k.extractor FROM {chunk} k WHERE k.chunk_id = $1
