INSERT INTO {document} ({key_names}, document_hash, chunk_count, language, synced_at)
SELECT {keys c}, n.document_hash, n.chunk_count, n.language, clock_timestamp()
FROM unnest($1::bigint[], $2::bytea[], $3::integer[], $4::text[]) AS n (change_id, document_hash, chunk_count, language)
JOIN {change} c ON c.change_id = n.change_id
ON CONFLICT ({key_names}) DO UPDATE
SET document_hash = excluded.document_hash, chunk_count = excluded.chunk_count, language = excluded.language,
    synced_at = excluded.synced_at
