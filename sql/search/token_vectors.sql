-- Token vectors of the chunks $2, as the caller may read them.
SELECT k.chunk_id, k.token_vectors FROM {chunk} k WHERE k.chunk_id = ANY ($2)
