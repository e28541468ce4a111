-- What other sessions keep sync workers of corpus $1 waiting for, as far as role $2 may see it; the first that applies:
-- a session that has locked one of its tables, a transaction that its vector index waits for (one that is older than $3
-- seconds), code of its owner that a worker runs. The age of a transaction is shown to roles that see it in
-- pg_stat_activity.
WITH here AS (
    SELECT b.*, c.state, d.oid AS database
    FROM socle.corpus c JOIN socle.corpus_binding b ON b.corpus = c.name JOIN pg_database d ON d.datname = current_database()
    WHERE c.name = $1),
session AS (
    SELECT a.*, format('process %s', a.pid)
                || CASE WHEN pg_has_role($2, 'pg_read_all_stats', 'USAGE') OR a.usesysid = $2
                        THEN format(', open for %s', to_char(clock_timestamp() - a.xact_start, 'HH24:MI:SS'))
                            ELSE '' END AS named,
           coalesce(a.backend_type IN ('socle sync', 'socle index'), false) AS works
    FROM pg_stat_activity a),
wait_reason (rank, since, reason) AS (
    SELECT 1, s.xact_start, format('%s is locked by the transaction of %s', l.relation::regclass, s.named)
    FROM here h
    JOIN pg_locks l ON l.locktype = 'relation' AND l.granted AND l.database = h.database
        AND (l.relation = h.source AND l.mode = 'AccessExclusiveLock'
             OR l.relation IN (h.chunk, h.change, h.document, 'socle.corpus'::regclass,
                 'socle.corpus_binding'::regclass, 'socle.keyword_segment_part'::regclass)
                AND l.mode IN ('ShareLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock'))
    JOIN session s ON s.pid = l.pid AND NOT s.works AND s.pid <> pg_backend_pid()
    UNION ALL
    SELECT 2, s.xact_start, format('its vector index waits for the transaction of %s', s.named)
    FROM here h
    JOIN pg_stat_progress_create_index p ON p.relid = h.chunk AND p.datname = current_database()
    JOIN session s ON s.pid = p.current_locker_pid
    WHERE h.state = 'filling'
    UNION ALL
    SELECT 3, NULL, 'its vector index is being built'
    FROM here h
    JOIN pg_stat_progress_create_index p ON p.relid = h.chunk AND p.datname = current_database()
    WHERE h.state = 'filling'
    UNION ALL
    SELECT 4, s.xact_start, format('its vector index waits for the transaction of %s', s.named)
    FROM here h JOIN session s ON s.datname = current_database() AND s.backend_xmin IS NOT NULL
    WHERE h.state = 'filling' AND $3 IS NOT NULL AND s.pid <> pg_backend_pid() AND NOT s.works
      AND s.backend_type <> 'autovacuum worker' AND s.xact_start < clock_timestamp() - make_interval(secs => $3)
    UNION ALL
    SELECT 5, s.xact_start, format('what its owner has put on its tables (a trigger, a default, a check) takes long in process %s', s.pid)
    FROM here h
    JOIN pg_locks l ON l.locktype = 'relation' AND l.granted AND l.database = h.database AND l.relation IN (h.chunk, h.change)
    JOIN session s ON s.pid = l.pid AND s.works AND s.backend_type = 'socle sync'
        AND s.xact_start < clock_timestamp() - interval '3 seconds')
SELECT o.reason FROM wait_reason o ORDER BY o.rank, o.since LIMIT 1
