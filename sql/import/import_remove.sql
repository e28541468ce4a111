DELETE FROM {target} f WHERE f.file_name OPERATOR(pg_catalog.=) ANY ($1)
