-- The chunks among $2 that the caller may see and the filter lets through, with their vectors.
SELECT k.chunk_id, k.embedding FROM {chunk} k WHERE k.chunk_id = ANY ($2) AND {passes k}
