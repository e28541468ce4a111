INSERT INTO {change} (xid, compared, {key_names})
SELECT $1::xid8, true, {keys s} FROM {source} s LEFT JOIN {document} d ON {same d s}
WHERE NOT EXISTS (SELECT FROM {change} c WHERE {same c s} AND (c.lease_until IS NULL OR c.lease_until < clock_timestamp()))
  AND CASE WHEN d.document_hash IS NULL THEN true ELSE d.document_hash <> {hash $2} END
