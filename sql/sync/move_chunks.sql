UPDATE {chunk} k
SET ordinal = n.ordinal, heading_path = n.heading_path::text[], start_offset = n.start_offset, end_offset = n.end_offset,
    token_count = n.token_count, page = n.page
FROM unnest($1::bigint[], $2::integer[], $3::text[], $4::integer[], $5::integer[], $6::integer[], $7::integer[])
     AS n (chunk_id, ordinal, heading_path, start_offset, end_offset, token_count, page)
WHERE k.chunk_id = n.chunk_id
