-- Sizes of documents in bytes, without reading them.
SELECT c.change_id, {size} AS bytes
FROM {change} c LEFT JOIN {source} s ON {same s c}
WHERE c.change_id = ANY ($1)
