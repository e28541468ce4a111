SELECT k.content_hash FROM {chunk} k WHERE k.content_hash = ANY ($1)
UNION
SELECT k.content_hash FROM {donor} k WHERE k.content_hash = ANY ($1)
