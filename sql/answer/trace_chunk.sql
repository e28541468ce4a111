-- What a vector was made of, for those who may read its row: chunk $1.
SELECT pg_catalog.jsonb_build_object(
           'ordinal', k.ordinal, 'start_offset', k.start_offset, 'end_offset', k.end_offset, 'page', k.page,
           'heading_path', k.heading_path, 'token_count', k.token_count,
           'content_sha256', pg_catalog.encode(k.content_hash, 'hex'){extractor})::text,
       {keys s}
FROM {chunk} k JOIN {source} s ON {same s k} WHERE k.chunk_id = $1
