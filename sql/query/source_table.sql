SELECT n.nspname::text, c.relname::text, c.relkind::text, c.relpersistence::text, c.relowner, c.relnamespace = 'pg_catalog'::regnamespace
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = $1
