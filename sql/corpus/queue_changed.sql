INSERT INTO {change} (xid, {key_names})
SELECT $1::xid8, {keys s} FROM {source} s LEFT JOIN {document} d ON {same d s}
WHERE CASE WHEN d.document_hash IS NULL THEN true ELSE d.document_hash <> {hash} END
