-- Corpora whose tables the caller may read, and those that it may count as a member of pg_monitor: see
-- socle.corpus_status.
SELECT x.name, x.readable FROM (
    SELECT c.name, has_table_privilege(b.change, 'SELECT') AND has_table_privilege(b.document, 'SELECT') AS readable
    FROM socle.corpus c
    JOIN socle.corpus_binding b ON b.corpus = c.name) AS x
WHERE x.readable OR pg_has_role('pg_read_all_stats', 'USAGE') ORDER BY x.name
