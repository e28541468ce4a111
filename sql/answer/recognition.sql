SELECT k.recognition_confidence FROM {chunk} k WHERE k.chunk_id = $1
