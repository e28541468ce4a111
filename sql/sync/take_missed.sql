-- Takes the records of changes of corpus $1 that could not be logged, by their transactions.
WITH taken AS (DELETE FROM socle.missed_change AS m WHERE m.corpus OPERATOR(pg_catalog.=) $1 RETURNING m.xid)
SELECT DISTINCT t.xid::text FROM taken t
