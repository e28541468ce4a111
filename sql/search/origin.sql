-- The vectors of the chunks of one document, or of one chunk, as far as the caller may see them.
SELECT k.chunk_id, k.embedding FROM {source} s JOIN {chunk} k ON {same k s} WHERE {origin} ORDER BY k.ordinal LIMIT {limit}
