-- Processes that can hold a lease: sync workers of this database. What kind of process one is, it cannot say itself.
SELECT coalesce(array_agg(a.pid), '{}')
FROM pg_stat_get_activity(NULL) a
WHERE a.backend_type = 'socle sync' AND a.datid = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database())
