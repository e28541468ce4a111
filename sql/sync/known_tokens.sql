SELECT k.content_hash FROM {chunk} k WHERE k.content_hash = ANY ($1) AND k.token_vectors IS NOT NULL
UNION
SELECT k.content_hash FROM {token_donor} k WHERE k.content_hash = ANY ($1) AND k.token_vectors IS NOT NULL
