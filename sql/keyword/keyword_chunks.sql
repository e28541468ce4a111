-- The indexed parts of the chunks $1.
SELECT k.chunk_id, k.heading_path, k.content, {template_values} AS template_values, d.language
FROM {chunk} k LEFT JOIN {source} s ON {same s k} LEFT JOIN {document} d ON {same d k}
WHERE k.chunk_id = ANY ($1)
