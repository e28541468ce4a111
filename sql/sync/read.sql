-- Documents; content only of those that have changed since they were chunked, and of files only up to $2 bytes, beyond
-- which nothing is fetched.
SELECT c.change_id, {first_key s} IS NOT NULL AS present, h.hash, h.hash IS NOT DISTINCT FROM d.document_hash AS unchanged,
       CASE WHEN h.hash IS DISTINCT FROM d.document_hash THEN {text $2} END AS content, {template_values} AS template_values,
       {language} AS language, d.language AS stored_language, {media_type} AS media_type, {file_name} AS file_name,
       {refusal $2} AS refusal
FROM {change} c
LEFT JOIN {source} s ON {same s c}
LEFT JOIN {document} d ON {same d c}
CROSS JOIN LATERAL (SELECT {hash $2} AS hash) h
WHERE c.change_id = ANY ($1)
