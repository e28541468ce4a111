-- Change logs of corpora that another worker has had in one transaction for more than $1 seconds: code of their owner
-- takes long, or does not end.
SELECT DISTINCT b.change
FROM pg_stat_activity a
JOIN pg_locks l ON l.pid = a.pid AND l.locktype = 'relation' AND l.granted
    AND l.database = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database())
JOIN socle.corpus_binding b ON l.relation IN (b.chunk, b.change)
WHERE a.backend_type = 'socle sync' AND a.pid <> pg_backend_pid() AND a.xact_start < clock_timestamp() - make_interval(secs => $1)
