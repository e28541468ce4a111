INSERT INTO {change} (xid, compared, {key_names})
SELECT $1::xid8, true, {keys d} FROM {document} d WHERE NOT EXISTS (SELECT FROM {source} s WHERE {same s d})
  AND NOT EXISTS (SELECT FROM {change} c WHERE {same c d} AND (c.lease_until IS NULL OR c.lease_until < clock_timestamp()))
