-- The ledger: what has happened, in an append-only file of the cluster whose entries are chained by their hashes. Not a table: a row
-- vanishes with a rollback, cannot be written on a standby, and can be changed by its owner.

-- Reads the file itself, and checks that the caller may read the view. Superusers see all entries, others those of this database.
CREATE FUNCTION socle_internal.ledger_entries() RETURNS TABLE (
    chain text, is_current boolean, number bigint, at timestamp with time zone, kind text, database text, role text, session_role text, hash text,
    body text, question text, answer text)
LANGUAGE c VOLATILE PARALLEL RESTRICTED COST 10000 ROWS 10000 SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'ledger_entries_wrapper';
COMMENT ON FUNCTION socle_internal.ledger_entries IS 'the entries of the ledger, for those who may read socle.ledger';

CREATE VIEW socle.ledger AS
SELECT e.chain,
       e.number,
       e.at,
       e.kind,
       e.database,
       e.role,
       e.session_role,
       CASE
           WHEN e.is_current
                AND e.database OPERATOR(pg_catalog.=) pg_catalog.current_database()
                AND b.xid OPERATOR(pg_catalog.<) pg_catalog.pg_snapshot_xmax(pg_catalog.pg_current_snapshot())
               THEN pg_catalog.pg_xact_status(b.xid)
       END AS transaction_state,
       e.body::pg_catalog.jsonb AS entry,
       e.question,
       e.answer,
       e.hash
FROM socle_internal.ledger_entries() AS e
CROSS JOIN LATERAL (
    SELECT (e.body::pg_catalog.jsonb OPERATOR(pg_catalog.->) 'data' OPERATOR(pg_catalog.->>) 'xid')::pg_catalog.xid8 AS xid OFFSET 0) AS b;
COMMENT ON VIEW socle.ledger IS 'what has happened: entries of the ledger of the cluster, those of this database or, for a superuser, all; grant SELECT to whom it concerns';
COMMENT ON COLUMN socle.ledger.chain IS 'chain that the entry is in; a standby, and a server that was promoted or restored, has its own';
COMMENT ON COLUMN socle.ledger.number IS 'its number in the chain';
COMMENT ON COLUMN socle.ledger.at IS 'when it was written';
COMMENT ON COLUMN socle.ledger.kind IS 'what has happened';
COMMENT ON COLUMN socle.ledger.database IS 'database of the session';
COMMENT ON COLUMN socle.ledger.role IS 'role whose rights the session had';
COMMENT ON COLUMN socle.ledger.session_role IS 'role that had logged in';
COMMENT ON COLUMN socle.ledger.transaction_state IS 'of what is recorded before its commit: committed, aborted or in progress; NULL for what is recorded at once, and where it is not known any more';
COMMENT ON COLUMN socle.ledger.entry IS 'the whole entry';
COMMENT ON COLUMN socle.ledger.question IS 'text of the question, if socle.ledger_text was on and it has not been erased';
COMMENT ON COLUMN socle.ledger.answer IS 'text of the answer, likewise';
COMMENT ON COLUMN socle.ledger.hash IS 'SHA-256 of the hash of the entry before it and of this entry, as they are written';

CREATE FUNCTION socle.verify_ledger(checkpoint text DEFAULT NULL) RETURNS TABLE (
    chain text, is_current boolean, state text, first_number bigint, last_number bigint, first_at timestamp with time zone,
    last_at timestamp with time zone, confirmed boolean, problems text[])
LANGUAGE c VOLATILE PARALLEL UNSAFE COST 100000 ROWS 2 SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'verify_ledger_wrapper';
COMMENT ON FUNCTION socle.verify_ledger IS 'checks each hash of the ledger, and a checkpoint that was kept elsewhere; a row for each chain';

CREATE FUNCTION socle.ledger_checkpoint() RETURNS text
LANGUAGE c VOLATILE PARALLEL UNSAFE COST 1000 SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'ledger_checkpoint_wrapper';
COMMENT ON FUNCTION socle.ledger_checkpoint IS 'what the ledger says now, in three lines to be kept elsewhere, for socle.verify_ledger';

CREATE FUNCTION socle.prune_ledger(before timestamp with time zone) RETURNS TABLE (segment_count bigint, entry_count bigint)
LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE COST 1000 ROWS 1 SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'prune_ledger_wrapper';
COMMENT ON FUNCTION socle.prune_ledger IS 'removes files of the ledger whose entries are all older, and records that; the rest can still be verified';

CREATE FUNCTION socle_internal.ledger_report() RETURNS jsonb
LANGUAGE c VOLATILE PARALLEL RESTRICTED COST 1000 SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'ledger_report_wrapper';
COMMENT ON FUNCTION socle_internal.ledger_report IS 'state of the ledger as one JSON object, as shown by socle.ledger_status; starts nothing';

CREATE VIEW socle.ledger_status AS
SELECT p.state, p.state_reason, p.chain, p.first_number, p.last_number, p.last_at, p.chain_count, p.segment_count, p.bytes,
       p.unanswered_count
FROM (SELECT socle_internal.ledger_report() AS report OFFSET 0) AS r
CROSS JOIN LATERAL pg_catalog.jsonb_to_record(r.report) AS p (
    state text, state_reason text, chain text, first_number bigint, last_number bigint, last_at timestamp with time zone,
    chain_count integer, segment_count integer, bytes bigint, unanswered_count bigint);
COMMENT ON VIEW socle.ledger_status IS 'state of the ledger of the cluster, for members of pg_monitor';
COMMENT ON COLUMN socle.ledger_status.state IS 'writing; stopped (its process starts when it is needed); unreadable: something in its directory is not as it was written or does not belong there, and entries are written all the same; failed: nothing can be written, so nothing is sent to endpoints';
COMMENT ON COLUMN socle.ledger_status.state_reason IS 'why it failed or cannot be read';
COMMENT ON COLUMN socle.ledger_status.chain IS 'chain that is written';
COMMENT ON COLUMN socle.ledger_status.first_number IS 'number of its first entry that is kept';
COMMENT ON COLUMN socle.ledger_status.last_number IS 'number of its last entry';
COMMENT ON COLUMN socle.ledger_status.last_at IS 'when that was written';
COMMENT ON COLUMN socle.ledger_status.chain_count IS 'chains on disk; those besides the current one were written elsewhere or before';
COMMENT ON COLUMN socle.ledger_status.segment_count IS 'files of all chains';
COMMENT ON COLUMN socle.ledger_status.bytes IS 'their size';
COMMENT ON COLUMN socle.ledger_status.unanswered_count IS 'requests to endpoints in the newest file whose outcome is not in it: those under way, and those that may have left and were never answered';
GRANT SELECT ON socle.ledger_status TO pg_monitor;

-- From an answer, a citation or a vector to where it comes from, and to what was made of it. What the ledger has is for those who
-- may read socle.ledger; a chunk, and whether a citation holds, for those who may read its row.
CREATE FUNCTION socle.trace(answer text) RETURNS TABLE (step text, corpus_name text, source_key jsonb, detail jsonb)
LANGUAGE c VOLATILE STRICT PARALLEL RESTRICTED COST 100000 ROWS 10 SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'trace_answer_wrapper';
COMMENT ON FUNCTION socle.trace(text) IS
    'finds an answer in the ledger by its text: who had it when, by which models, and what it cites; socle.cite() says whether that still stands';

CREATE FUNCTION socle.trace(citation jsonb) RETURNS TABLE (step text, corpus_name text, source_key jsonb, detail jsonb)
LANGUAGE c VOLATILE STRICT PARALLEL RESTRICTED COST 100000 ROWS 10 SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'trace_citation_wrapper';
COMMENT ON FUNCTION socle.trace(jsonb) IS
    'whether a citation still stands, what its corpus is made with, and all answers of the ledger that cite the same document';

CREATE FUNCTION socle.trace(corpus text, chunk_id bigint) RETURNS TABLE (step text, corpus_name text, source_key jsonb, detail jsonb)
LANGUAGE c VOLATILE STRICT PARALLEL RESTRICTED COST 100000 ROWS 10 SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'trace_chunk_wrapper';
COMMENT ON FUNCTION socle.trace(text, bigint) IS
    'what the vector of a chunk was made of and with, and all answers of the ledger that cite the same document';
