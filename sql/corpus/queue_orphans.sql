INSERT INTO {change} (xid, {key_names})
SELECT $1::xid8, {keys d} FROM {document} d WHERE NOT EXISTS (SELECT FROM {source} s WHERE {same s d})
