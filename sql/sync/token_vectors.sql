-- Value of the column token_vectors in insert_chunks.sql: if it was not computed, that of an equal chunk which has one.
coalesce(n.token_vectors,
         (SELECT k.token_vectors FROM {chunk} k WHERE k.content_hash = n.content_hash AND k.token_vectors IS NOT NULL LIMIT 1),
         (SELECT k.token_vectors FROM {token_donor} k WHERE k.content_hash = n.content_hash AND k.token_vectors IS NOT NULL LIMIT 1))
