-- A file whose bytes are unchanged keeps its value, so that checking it has no further effects. The value is compared,
-- not its stored hash: a session may have changed it since.
INSERT INTO {target} AS f (file_name, modified_at, content_hash, media_type, data)
VALUES ($1, 'epoch'::pg_catalog.timestamptz OPERATOR(pg_catalog.+) ($2::pg_catalog.int8 OPERATOR(pg_catalog.*) '1 microsecond'::pg_catalog.interval),
        pg_catalog.sha256($4), $3, $4)
ON CONFLICT (file_name) DO UPDATE
SET modified_at = excluded.modified_at, content_hash = excluded.content_hash, media_type = excluded.media_type,
    data = CASE WHEN pg_catalog.sha256(f.data) OPERATOR(pg_catalog.=) excluded.content_hash THEN f.data ELSE excluded.data END
RETURNING xmax OPERATOR(pg_catalog.=) 0
