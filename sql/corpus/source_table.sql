SELECT n.nspname::text, c.relname::text, c.relkind::text, c.relpersistence::text, c.relowner,
    c.relnamespace = 'pg_catalog'::regnamespace,
       c.relrowsecurity AND c.relforcerowsecurity AND NOT (o.rolsuper OR o.rolbypassrls),
       (SELECT min(h.inhrelid::regclass::text) FROM pg_inherits h WHERE h.inhparent = c.oid AND c.relkind = 'r')
FROM pg_class c JOIN pg_roles o ON o.oid = c.relowner JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = $1
