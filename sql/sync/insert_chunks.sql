-- A vector that is NULL is taken from an equal chunk.
INSERT INTO {chunk} (chunk_id, {key_names}, ordinal, content, heading_path, page, start_offset, end_offset,
    token_count, content_hash, embedding{optional_names})
OVERRIDING SYSTEM VALUE
SELECT n.chunk_id, {keys c}, n.ordinal, n.content, n.heading_path::text[], n.page, n.start_offset, n.end_offset,
    n.token_count, n.content_hash,
       coalesce(n.embedding, (SELECT k.embedding FROM {chunk} k WHERE k.content_hash = n.content_hash LIMIT 1),
                (SELECT k.embedding FROM {donor} k WHERE k.content_hash = n.content_hash LIMIT 1)){optional_values}
FROM unnest($1::bigint[], $2::integer[], $3::text[], $4::text[], $5::integer[], $6::integer[], $7::integer[], $8::bytea[],
            $9::{vector_type}[], $10::bigint[], $11::integer[]{optional_arrays})
     AS n (change_id, ordinal, content, heading_path, start_offset, end_offset, token_count, content_hash, embedding,
         chunk_id, page{optional_names})
JOIN {change} c ON c.change_id = n.change_id
