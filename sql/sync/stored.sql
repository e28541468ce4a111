SELECT c.change_id, k.chunk_id, k.ordinal, k.heading_path, k.start_offset, k.end_offset, k.token_count,
    k.content_hash, k.content, k.page
FROM {change} c JOIN {chunk} k ON {same k c}
WHERE c.change_id = ANY ($1) ORDER BY k.ordinal, k.chunk_id
