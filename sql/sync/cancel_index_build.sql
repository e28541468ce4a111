-- Cancels the build of the vector index of the corpus whose change log is $2: in any case with $3, else if a session
-- waits for it. The builder holds the lock for that, $1 (see src/pg/lock.rs).
SELECT pg_cancel_backend(l.pid)
FROM pg_locks l
WHERE l.locktype = 'object' AND l.classid = 'pg_extension'::regclass AND l.objid = $2 AND l.objsubid = $1 AND l.granted
  AND l.database = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database())
  AND ($3 OR EXISTS (SELECT FROM pg_locks w WHERE NOT w.granted AND w.pid <> l.pid AND l.pid = ANY (pg_blocking_pids(w.pid))))
