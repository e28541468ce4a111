-- Who is the reason that deleted rows are still seen: whoever holds the oldest transaction back, as far as it is known here.
-- A transaction that has an id holds back all that begin after it: of equals, the one that began first.
WITH seen_by (holder, place, begun, transaction) AS (
    SELECT format('process %s', a.pid), 'pg_stat_activity.backend_xmin', a.xact_start,
           CASE WHEN a.backend_xmin IS NULL OR age(a.backend_xid) > age(a.backend_xmin) THEN a.backend_xid ELSE a.backend_xmin END
    FROM pg_stat_activity a
    WHERE a.pid <> pg_backend_pid() AND a.backend_type <> 'autovacuum worker'
      AND (a.datname = current_database() OR a.datname IS NULL)
    UNION ALL
    SELECT format('prepared transaction "%s"', p.gid), 'pg_prepared_xacts', p.prepared, p.transaction
    FROM pg_prepared_xacts p WHERE p.database = current_database()
    UNION ALL
    SELECT format('replication slot "%s"', r.slot_name), 'pg_replication_slots', '-infinity',
           CASE WHEN r.xmin IS NULL OR age(r.catalog_xmin) > age(r.xmin) THEN r.catalog_xmin ELSE r.xmin END
    FROM pg_replication_slots r)
SELECT format('%s may still see deleted rows (%s)', s.holder, s.place)
FROM seen_by s WHERE s.transaction IS NOT NULL ORDER BY age(s.transaction) DESC, s.begun NULLS LAST LIMIT 1
