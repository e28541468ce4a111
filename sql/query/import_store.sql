-- A file whose bytes are the same keeps its value, so that nothing follows from its being looked at.
INSERT INTO {target} AS f (file_name, modified_at, content_hash, media_type, data)
VALUES ($1, 'epoch'::timestamptz + $2::bigint * interval '1 microsecond', sha256($4), $3, $4)
ON CONFLICT (file_name) DO UPDATE
SET modified_at = excluded.modified_at, content_hash = excluded.content_hash, media_type = excluded.media_type,
    data = CASE WHEN f.content_hash = excluded.content_hash THEN f.data ELSE excluded.data END
RETURNING xmax = 0
