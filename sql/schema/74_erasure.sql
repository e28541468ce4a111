-- Erasing documents for good: what socle.forget has deleted, until nothing of it is left in tables and files of socle.

-- Written in the transaction that deletes. It holds no key and no text: workers erase whatever deleted rows have left.
CREATE TABLE socle.erasure (
    erasure text NOT NULL,
    corpus text NOT NULL,
    requested_at timestamp with time zone NOT NULL DEFAULT pg_catalog.now(),
    requested_by text NOT NULL,
    xid xid8 NOT NULL DEFAULT pg_catalog.pg_current_xact_id(),
    state text NOT NULL DEFAULT 'pending'
        CONSTRAINT erasure_state_check CHECK (state OPERATOR(pg_catalog.=) ANY (ARRAY['pending', 'done'])),
    state_reason text,
    attempt_count integer NOT NULL DEFAULT 0,
    next_attempt_at timestamp with time zone NOT NULL DEFAULT '-infinity',
    finished_at timestamp with time zone,
    rewritten_segments bigint,
    cleared_pages bigint,
    removed_files bigint,
    CONSTRAINT erasure_key PRIMARY KEY (erasure, corpus)
);
COMMENT ON TABLE socle.erasure IS 'erasures and how far they are; written only by socle, read through socle.erasure_status';
COMMENT ON COLUMN socle.erasure.erasure IS 'identifier, as in the receipt';
COMMENT ON COLUMN socle.erasure.corpus IS 'name of the corpus';
COMMENT ON COLUMN socle.erasure.requested_at IS 'when socle.forget was called';
COMMENT ON COLUMN socle.erasure.requested_by IS 'role that called it';
COMMENT ON COLUMN socle.erasure.xid IS 'transaction that deleted the rows';
COMMENT ON COLUMN socle.erasure.state IS 'pending, or done: nothing is left in tables and files of socle';
COMMENT ON COLUMN socle.erasure.state_reason IS 'what it waits for';
COMMENT ON COLUMN socle.erasure.attempt_count IS 'attempts in a row that had to wait for the same reason';
COMMENT ON COLUMN socle.erasure.next_attempt_at IS 'not before';
COMMENT ON COLUMN socle.erasure.finished_at IS 'when it was done';
COMMENT ON COLUMN socle.erasure.rewritten_segments IS 'segments of the keyword index that were written again without words of deleted chunks';
COMMENT ON COLUMN socle.erasure.cleared_pages IS 'pages of tables and B-trees whose free space was overwritten';
COMMENT ON COLUMN socle.erasure.removed_files IS 'files of former segments that were removed from the cache of the engine';

CREATE VIEW socle.erasure_status AS
SELECT e.erasure, e.corpus, e.requested_at, e.requested_by, e.state,
       CASE WHEN e.state OPERATOR(pg_catalog.=) 'done' THEN NULL
            WHEN c.name IS NULL THEN 'the corpus was dropped with its tables: what is left of its segments goes with the next erasure, or VACUUM FULL socle.keyword_segment_part'
            WHEN b.corpus IS NULL OR c.state OPERATOR(pg_catalog.=) ANY (ARRAY['paused', 'broken', 'filling'])
                THEN pg_catalog.format('the corpus is %s%s: it goes on once that is over', CASE WHEN b.corpus IS NULL THEN 'paused' ELSE c.state END,
                                       CASE WHEN c.state_reason IS NULL THEN '' ELSE pg_catalog.format(' (%s)', c.state_reason) END)
            ELSE coalesce(socle_internal.worker_obstacle(), e.state_reason,
                          'the worker of the corpus has an error: ' OPERATOR(pg_catalog.||) c.state_reason, 'a worker has not begun yet') END AS state_reason,
       e.finished_at, e.rewritten_segments, e.cleared_pages, e.removed_files,
       CASE WHEN e.state OPERATOR(pg_catalog.=) 'pending' AND e.next_attempt_at OPERATOR(pg_catalog.>) e.requested_at THEN e.next_attempt_at END AS next_attempt_at
FROM socle.erasure e
LEFT JOIN socle.corpus c ON c.name OPERATOR(pg_catalog.=) e.corpus
LEFT JOIN socle.corpus_binding b ON b.corpus OPERATOR(pg_catalog.=) e.corpus
WHERE pg_catalog.pg_has_role('pg_read_all_stats', 'USAGE')
   OR (SELECT pg_catalog.pg_has_role(r.oid, 'USAGE') FROM pg_catalog.pg_roles r
       WHERE r.rolname OPERATOR(pg_catalog.=) (e.requested_by COLLATE pg_catalog."C"));
COMMENT ON VIEW socle.erasure_status IS 'erasures that the caller may act for, and for members of pg_read_all_stats all: how far they are';
COMMENT ON COLUMN socle.erasure_status.erasure IS 'identifier, as in the receipt';
COMMENT ON COLUMN socle.erasure_status.corpus IS 'name of the corpus';
COMMENT ON COLUMN socle.erasure_status.requested_at IS 'when socle.forget was called';
COMMENT ON COLUMN socle.erasure_status.requested_by IS 'role that called it';
COMMENT ON COLUMN socle.erasure_status.state IS 'pending, or done: nothing is left in tables and files of socle';
COMMENT ON COLUMN socle.erasure_status.state_reason IS 'what it waits for';
COMMENT ON COLUMN socle.erasure_status.finished_at IS 'when it was done';
COMMENT ON COLUMN socle.erasure_status.rewritten_segments IS 'segments of the keyword index that were written again without words of deleted chunks';
COMMENT ON COLUMN socle.erasure_status.cleared_pages IS 'pages of tables and B-trees whose free space was overwritten';
COMMENT ON COLUMN socle.erasure_status.removed_files IS 'files of former segments that were removed from the cache of the engine';
COMMENT ON COLUMN socle.erasure_status.next_attempt_at IS 'when the next attempt is made, if one has had to wait';
GRANT SELECT ON socle.erasure_status TO PUBLIC;

CREATE FUNCTION socle.forget(
    corpus text,
    source_key jsonb DEFAULT NULL,
    filter jsonb DEFAULT NULL,
    delete_source boolean DEFAULT false
) RETURNS jsonb
LANGUAGE c VOLATILE PARALLEL UNSAFE COST 100000 SET search_path = pg_catalog, pg_temp SET row_security = off
AS 'MODULE_PATHNAME', 'forget_wrapper';
COMMENT ON FUNCTION socle.forget IS
    'erases documents from all corpora over the same source, and with delete_source their rows; returns a receipt without their text; what deleted rows leave is cleared away after the commit: see socle.wait_for_erasure()';

-- No SET: that would keep it from ending transactions. It pins the search_path itself.
CREATE PROCEDURE socle.wait_for_erasure(receipt jsonb, timeout interval DEFAULT '5 minutes')
LANGUAGE c
AS 'MODULE_PATHNAME', 'wait_for_erasure_wrapper';
COMMENT ON PROCEDURE socle.wait_for_erasure IS
    'waits until nothing of what socle.forget() has deleted is left in tables and files of socle; an error after the timeout says what it waits for';

CREATE FUNCTION socle.verify_erasure(receipt jsonb, words text[] DEFAULT NULL)
RETURNS TABLE (place text, finding text, occurrences bigint, is_residue boolean, remedy text)
LANGUAGE c VOLATILE PARALLEL UNSAFE COST 1000000 ROWS 10 SET search_path = pg_catalog, pg_temp SET row_security = off
AS 'MODULE_PATHNAME', 'verify_erasure_wrapper';
COMMENT ON FUNCTION socle.verify_erasure IS
    'looks for what is left of erased documents in tables and files, by the hashes of a receipt and byte by byte, and for words if some are given; says what it could not look at';
