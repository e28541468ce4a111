-- Those of the chunks $1 whose documents have changed since, whether or not that can be processed, and whether the
-- document still exists. $2: this transaction has changes that are not in the log yet; $3: size limit of files in
-- bytes.
--
-- The cost does not depend on the length of the log. For changes of one row, one lookup by key in the index for each
-- chunk, in a sub-select that stays one. Rows of the log with many keys are not expanded: what the oldest of their
-- transactions and later ones have not touched has not changed by them, and what they have touched is compared.
WITH oldest AS MATERIALIZED (
    SELECT least((SELECT c.xid FROM {change} c WHERE c.batch_1 IS NOT NULL ORDER BY c.xid LIMIT 1),
                 CASE WHEN $2 THEN pg_current_xact_id_if_assigned() END) AS xid,
           EXISTS (SELECT FROM {change} c WHERE {first_key c} IS NULL AND c.batch_1 IS NULL)
               OR EXISTS (SELECT FROM socle.missed_change m WHERE m.corpus = {name}) AS sweep),
since AS MATERIALIZED (
    -- A transaction id that is not of this server, as after a restore, or further back than the 32-bit xmin of a row
    -- can tell, says nothing: then, as while a resync is pending, all of these chunks are compared now.
    SELECT age(o.xid::xid) AS age,
           o.sweep OR CASE WHEN o.xid = pg_current_xact_id_if_assigned() THEN false
                           ELSE o.xid >= n.next OR n.next::text::bigint - o.xid::text::bigint > 2000000000 END AS everything
    FROM oldest o CROSS JOIN (SELECT pg_snapshot_xmax(pg_current_snapshot()) AS next) AS n
    WHERE o.sweep OR o.xid IS NOT NULL),
waiting AS MATERIALIZED (
    SELECT k.chunk_id FROM {chunk} k
    WHERE k.chunk_id = ANY ($1) AND (SELECT true FROM {change} c WHERE {same c k} LIMIT 1)
    UNION ALL
    SELECT k.chunk_id
    FROM since t CROSS JOIN {chunk} k LEFT JOIN {source} s ON {same s k} LEFT JOIN {document} d ON {same d k}
    WHERE k.chunk_id = ANY ($1)
      AND CASE WHEN {first_key s} IS NULL THEN true
               -- The greatest age means no transaction id, as in rows of a foreign table.
               WHEN t.everything OR age(s.xmin) <= t.age OR age(s.xmin) = 2147483647 THEN d.document_hash IS DISTINCT
                   FROM {hash $3}
               ELSE false END)
SELECT k.chunk_id, (SELECT true FROM {source} s WHERE {same s k})
FROM {chunk} k WHERE k.chunk_id = ANY (ARRAY(SELECT w.chunk_id FROM waiting w))
