INSERT INTO {change} ({key_names})
SELECT {keys d} FROM {document} d WHERE NOT EXISTS (SELECT FROM {source} s WHERE {same s d})
