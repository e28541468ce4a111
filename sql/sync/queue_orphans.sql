INSERT INTO {change} (xid, compared, {key_names})
SELECT $1::xid8, true, {keys d} FROM {document} d WHERE NOT EXISTS (SELECT FROM {source} s WHERE {same s d})
  AND NOT EXISTS (SELECT FROM {change} c WHERE {same c d} AND (c.lease_until IS NULL OR c.lease_until < clock_timestamp()))
UNION ALL
-- Documents that are being processed for the first time.
SELECT $1::xid8, true, {keys l} FROM {change} l
WHERE l.lease_until >= clock_timestamp() AND NOT EXISTS (SELECT FROM {source} s WHERE {same s l})
  AND NOT EXISTS (SELECT FROM {document} d WHERE {same d l})
  AND NOT EXISTS (SELECT FROM {change} c WHERE {same c l} AND (c.lease_until IS NULL OR c.lease_until < clock_timestamp()))
