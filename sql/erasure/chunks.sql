DELETE FROM {chunk} k WHERE {is_it} RETURNING k.content_hash
