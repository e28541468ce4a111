SELECT k.chunk_id, k.token_vectors, {keys k} FROM {chunk} k WHERE k.token_vectors IS NOT NULL ORDER BY k.chunk_id
