-- The next chunks after $1, in the order of their numbers, and whether their documents are there: a chunk without
-- one is counted, and not returned. The inner statement has the limit, so that each step costs the same.
SELECT k.chunk_id, {first_key s} IS NOT NULL, k.ordinal, k.page, k.start_offset, k.end_offset, k.token_count, k.content_hash,
       k.content, k.heading_path, k.embedding, k.token_vectors, k.extractor, {archived_keys}
FROM (SELECT c.chunk_id, {keys c}, c.ordinal, c.page, c.start_offset, c.end_offset, c.token_count, c.content_hash,
             {columns}, {extractor}
      FROM {chunk} c WHERE c.chunk_id > $1 ORDER BY c.chunk_id LIMIT {limit}) AS k
LEFT JOIN {source} s ON {same s k}
ORDER BY k.chunk_id
