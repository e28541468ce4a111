-- Numbers of the workers that live: each holds a lock with its own.
SELECT coalesce(array_agg(l.objid::bigint::integer), '{}')
FROM pg_locks l
WHERE l.locktype = 'advisory' AND l.classid = $1::oid AND l.objsubid = 2 AND l.granted
  AND l.database = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database())
