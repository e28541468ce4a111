-- The planner neither runs models nor multiplies their runs.
CREATE TABLE planned AS SELECT i AS id, 'text ' || i AS content FROM generate_series(1, 200) AS i;
CREATE FUNCTION texts_run() RETURNS bigint LANGUAGE sql VOLATILE AS 'SELECT coalesce(sum(text_count), 0)::bigint FROM socle.engine_status';
SELECT socle.embed('warm', 'minilm') IS NOT NULL AS warm;
SELECT texts_run() AS before \gset
SELECT plan_of($$SELECT socle.embed('explained only', 'minilm')$$);
SELECT texts_run() - :before AS run_by_explain;
-- Once for a whole statement, though the expression is evaluated for each row.
SELECT texts_run() AS before \gset
SELECT count(*) FROM planned WHERE socle.embed_query('one question', 'minilm') IS NOT NULL;
SELECT texts_run() - :before AS run_by_statement;
-- Parallel workers have connections of their own.
ALTER TABLE planned SET (parallel_workers = 2);
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET min_parallel_table_scan_size = 0;
SELECT plan_of($$SELECT count(socle.embed(content, 'minilm')) FROM planned$$);
SELECT count(socle.embed(content, 'minilm')), count(DISTINCT content) FROM planned;
SELECT code, message FROM error_of($$SELECT count(socle.embed(content, 'nope')) FROM planned$$);
-- Also below a statement that has written before the plan runs: CREATE TABLE AS has made its table.
SELECT plan_of($$CREATE TABLE embedded AS SELECT id, socle.embed(content, 'minilm') AS embedding FROM planned$$);
CREATE TABLE embedded AS SELECT id, socle.embed(content, 'minilm') AS embedding FROM planned;
SELECT count(embedding), count(DISTINCT id) FROM embedded;
SELECT code, hint FROM error_of($$CREATE TABLE refused AS SELECT socle.embed(content, 'nope') FROM planned$$);
-- Whatever a session's search_path finds first.
CREATE SCHEMA trap;
CREATE TABLE trap.model (name text);
CREATE FUNCTION trap.never(text, text) RETURNS boolean LANGUAGE sql AS 'SELECT false';
CREATE OPERATOR trap.= (FUNCTION = trap.never, LEFTARG = text, RIGHTARG = text);
SET search_path = trap, pg_catalog, public;
SELECT socle.embed('found', 'minilm') IS NOT NULL AS found;
SELECT hint FROM public.error_of($$SELECT socle.embed('x', 'nope')$$);
RESET search_path;
