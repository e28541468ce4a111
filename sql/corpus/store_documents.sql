INSERT INTO {document} ({key_names}, document_hash, chunk_count, synced_at)
SELECT {keys c}, n.document_hash, n.chunk_count, clock_timestamp()
FROM unnest($1::bigint[], $2::bytea[], $3::integer[]) AS n (change_id, document_hash, chunk_count)
JOIN {change} c ON c.change_id = n.change_id
ON CONFLICT ({key_names}) DO UPDATE
SET document_hash = excluded.document_hash, chunk_count = excluded.chunk_count, synced_at = excluded.synced_at
