SELECT d.oid::pg_catalog.text FROM pg_catalog.pg_database AS d
