INSERT INTO {chunk} ({key_names}, ordinal, content, heading_path, page, start_offset, end_offset, token_count,
    content_hash, embedding{token_vectors_name})
SELECT {archived_keys}, n.ordinal, n.content, n.heading_path::text[], n.page, n.start_offset, n.end_offset, n.token_count,
    n.content_hash, n.embedding{token_vectors_name}
FROM unnest($1::integer[], $2::text[], $3::text[], $4::integer[], $5::integer[], $6::integer[], $7::integer[], $8::bytea[],
            $9::{vector_type}[], $10::bytea[]{key_arrays})
     AS n (ordinal, content, heading_path, page, start_offset, end_offset, token_count, content_hash, embedding,
         token_vectors{key_aliases})
