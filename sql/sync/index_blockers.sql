-- The session that has held a snapshot in this database for longest, if for more than $1 seconds, and since when.
-- CREATE INDEX CONCURRENTLY waits for those (WaitForOlderSnapshots in indexcmds.c).
SELECT a.pid::text, a.xact_start
FROM pg_stat_activity a
WHERE a.datname = current_database() AND a.backend_xmin IS NOT NULL AND a.pid <> pg_backend_pid()
  AND a.backend_type NOT IN ('autovacuum worker', 'socle sync', 'socle index')
  AND a.xact_start < clock_timestamp() - make_interval(secs => $1)
ORDER BY a.xact_start LIMIT 1
