-- The state of corpora. One rule for all of it: all roles see what socle.corpus and socle.corpus_binding contain, which
-- is no data of users. The contents of the tables of a corpus are shown to roles that may read its change log and its
-- documents; members of pg_read_all_stats, and so of pg_monitor, see how many rows there are and what failed, without
-- keys and messages.

CREATE FUNCTION socle_internal.corpus_report() RETURNS TABLE (
    corpus text, document_count bigint, chunk_count bigint, pending_count bigint, failed_count bigint,
    oldest_pending_at timestamp with time zone
)
LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE COST 10000 ROWS 10 SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'corpus_report_wrapper';
COMMENT ON FUNCTION socle_internal.corpus_report IS 'counts of the corpora whose tables the caller may read, or may count as a member of pg_read_all_stats';

CREATE FUNCTION socle_internal.failure_report() RETURNS TABLE (
    corpus text, source_key jsonb, attempt_count integer, next_attempt_at timestamp with time zone, parked boolean,
    failed_at timestamp with time zone, failed_step text, error_sqlstate text, error_message text
)
LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE COST 10000 ROWS 10 SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'failure_report_wrapper';
COMMENT ON FUNCTION socle_internal.failure_report IS 'failed changes of the corpora whose tables the caller may read; without keys and messages for members of pg_read_all_stats';

CREATE FUNCTION socle_internal.why_not_captured(corpus text, source oid) RETURNS text
LANGUAGE sql STABLE STRICT PARALLEL SAFE COST 100 SET search_path = pg_catalog, pg_temp
AS $$
    SELECT format('its trigger is disabled on %s: changes there are found when it is enabled again', min(g.tgrelid::regclass::text))
    FROM (SELECT p.relid FROM pg_partition_tree(source) AS p UNION SELECT source) AS t
    JOIN pg_trigger g ON g.tgrelid = t.relid
    WHERE g.tgfoid = 'socle._capture_change()'::regprocedure AND g.tgargs = convert_to(corpus, 'UTF8') || decode('00', 'hex')
      AND g.tgenabled IN ('D', 'R')
    HAVING count(*) > 0
$$;
COMMENT ON FUNCTION socle_internal.why_not_captured IS 'why changes of a source are not captured at the moment';

CREATE FUNCTION socle_internal.wait_reasons() RETURNS TABLE (corpus text, reason text)
LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE COST 10000 ROWS 10 SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'wait_reasons_wrapper';
COMMENT ON FUNCTION socle_internal.wait_reasons IS 'what work waits for on the corpora whose tables the caller may read, or may count as a member of pg_read_all_stats';

CREATE FUNCTION socle_internal.worker_obstacle() RETURNS text
LANGUAGE c VOLATILE PARALLEL UNSAFE COST 10000 SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'worker_obstacle_wrapper';
COMMENT ON FUNCTION socle_internal.worker_obstacle() IS 'why no worker can do anything in this database, NULL if one can; has one look for work';

CREATE VIEW socle.corpus_status AS
SELECT c.name,
       CASE WHEN b.corpus IS NULL THEN 'paused' ELSE c.state END AS state,
       CASE WHEN b.corpus IS NULL THEN 'restored from a dump: check it and call socle.resume_corpus()'
            ELSE coalesce(c.state_reason, socle_internal.why_not_captured(c.name, b.source), o.reason) END
           AS state_reason,
       pg_catalog.format('%I.%I', c.source_schema, c.source_table) AS source,
       pg_catalog.format('%I.%I', c.chunk_schema, c.chunk_table) AS chunk_table,
       c.model,
       c.model_digest,
       r.document_count,
       r.chunk_count,
       r.pending_count,
       r.failed_count,
       CASE WHEN r.corpus IS NOT NULL
            THEN coalesce(pg_catalog.clock_timestamp() OPERATOR(pg_catalog.-) r.oldest_pending_at, interval '0') END AS lag,
       b.embedded_count,
       b.reused_count,
       coalesce(b.documents_per_second, 0) AS documents_per_second,
       CASE WHEN r.pending_count OPERATOR(pg_catalog.>) 0 AND b.documents_per_second OPERATOR(pg_catalog.>) 0
            THEN pg_catalog.clock_timestamp() OPERATOR(pg_catalog.+)
                 pg_catalog.make_interval(secs => r.pending_count OPERATOR(pg_catalog./) b.documents_per_second) END
           AS estimated_completion_at,
       b.worked_at,
       c.token_model
FROM socle.corpus AS c
LEFT JOIN socle.corpus_binding AS b ON b.corpus OPERATOR(pg_catalog.=) c.name
LEFT JOIN socle_internal.corpus_report() AS r ON r.corpus OPERATOR(pg_catalog.=) c.name
LEFT JOIN socle_internal.wait_reasons() AS o ON o.corpus OPERATOR(pg_catalog.=) c.name;
COMMENT ON VIEW socle.corpus_status IS 'corpora: what they consist of, what waits, how fast it goes';
COMMENT ON COLUMN socle.corpus_status.name IS 'name of the corpus';
COMMENT ON COLUMN socle.corpus_status.state IS 'filling: first fill, no vector index yet; active; paused; broken';
COMMENT ON COLUMN socle.corpus_status.state_reason IS 'why it is paused or broken, or what work on it waits for at the moment';
COMMENT ON COLUMN socle.corpus_status.source IS 'table whose rows are the documents';
COMMENT ON COLUMN socle.corpus_status.chunk_table IS 'table of the chunks';
COMMENT ON COLUMN socle.corpus_status.model IS 'model that chunks are embedded with';
COMMENT ON COLUMN socle.corpus_status.model_digest IS 'identity of its vectors';
COMMENT ON COLUMN socle.corpus_status.document_count IS 'rows of the source whose chunks are there; NULL, like the next four, for a role that can neither read the tables of the corpus nor has pg_monitor, and while another session locks them';
COMMENT ON COLUMN socle.corpus_status.chunk_count IS 'chunks';
COMMENT ON COLUMN socle.corpus_status.pending_count IS 'pending changes, including those to be retried';
COMMENT ON COLUMN socle.corpus_status.failed_count IS 'changes that have failed permanently: see socle.job_failure';
COMMENT ON COLUMN socle.corpus_status.lag IS 'age of the oldest pending change; 0 if there is none';
COMMENT ON COLUMN socle.corpus_status.embedded_count IS 'chunks that were embedded since the corpus was created or restored';
COMMENT ON COLUMN socle.corpus_status.reused_count IS 'chunks that kept their vector or took that of an equal one';
COMMENT ON COLUMN socle.corpus_status.documents_per_second IS 'recent rate; 0 before the first';
COMMENT ON COLUMN socle.corpus_status.estimated_completion_at IS 'estimated time when nothing is pending any more, at that rate';
COMMENT ON COLUMN socle.corpus_status.worked_at IS 'last time that a batch was finished';
COMMENT ON COLUMN socle.corpus_status.token_model IS 'model of late interaction whose token vectors are stored with the chunks';
GRANT SELECT ON socle.corpus_status TO PUBLIC;

CREATE VIEW socle.job_failure AS
SELECT r.corpus, r.source_key, r.attempt_count, r.next_attempt_at, r.parked, r.failed_at, r.failed_step, r.error_sqlstate,
       r.error_message
FROM socle_internal.failure_report() AS r;
COMMENT ON VIEW socle.job_failure IS 'documents whose last attempt failed, to be retried or set aside';
COMMENT ON COLUMN socle.job_failure.corpus IS 'name of the corpus';
COMMENT ON COLUMN socle.job_failure.source_key IS 'primary key of the row of the source; NULL, like error_message, for a role that has pg_monitor but cannot read the tables of the corpus';
COMMENT ON COLUMN socle.job_failure.attempt_count IS 'attempts that failed';
COMMENT ON COLUMN socle.job_failure.next_attempt_at IS 'time of the next attempt; NULL if it is set aside';
COMMENT ON COLUMN socle.job_failure.parked IS 'set aside: not retried until socle.retry_failed() or another change of the row';
COMMENT ON COLUMN socle.job_failure.failed_at IS 'last failure';
COMMENT ON COLUMN socle.job_failure.failed_step IS 'read, extract, chunk, embed, index or write';
COMMENT ON COLUMN socle.job_failure.error_sqlstate IS 'SQLSTATE of the error';
COMMENT ON COLUMN socle.job_failure.error_message IS 'message of the error';
GRANT SELECT ON socle.job_failure TO PUBLIC;

CREATE VIEW socle.worker_status AS
SELECT a.pid, a.datname AS database, a.backend_start AS started_at, a.state, a.query AS activity, a.wait_event,
       CASE WHEN a.wait_event_type OPERATOR(pg_catalog.=) 'Lock' THEN pg_catalog.pg_blocking_pids(a.pid) END AS blocked_by
FROM pg_catalog.pg_stat_activity AS a
WHERE a.backend_type OPERATOR(pg_catalog.=) ANY (ARRAY['socle sync', 'socle index']);
COMMENT ON VIEW socle.worker_status IS 'sync workers of the cluster and workers that build vector indexes, as pg_stat_activity shows them to the caller';
COMMENT ON COLUMN socle.worker_status.pid IS 'process id';
COMMENT ON COLUMN socle.worker_status.database IS 'database it works in';
COMMENT ON COLUMN socle.worker_status.started_at IS 'start of its turn';
COMMENT ON COLUMN socle.worker_status.state IS 'active or idle';
COMMENT ON COLUMN socle.worker_status.activity IS 'what it does, or did last';
COMMENT ON COLUMN socle.worker_status.wait_event IS 'what it waits for: SocleEngine, SocleIdle (Extension before PostgreSQL 17), or an event of Postgres';
COMMENT ON COLUMN socle.worker_status.blocked_by IS 'processes whose locks or transactions it waits for';
GRANT SELECT ON socle.worker_status TO PUBLIC;
