-- Numbers of the live workers: each holds a lock with its own, which no SQL can take. $1: Purpose::Life of
-- src/pg/lock.rs.
SELECT coalesce(array_agg(l.objid::bigint::integer), '{}')
FROM pg_locks l
WHERE l.locktype = 'object' AND l.classid = 'pg_extension'::regclass AND l.objsubid = $1 AND l.granted
  AND l.database = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database())
