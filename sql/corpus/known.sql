SELECT DISTINCT k.content_hash FROM {chunk} k WHERE k.content_hash = ANY ($1)
