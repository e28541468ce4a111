-- Takes what could not be logged of corpus $1, by the transactions that it belongs to.
WITH taken AS (DELETE FROM socle.missed_change AS m WHERE m.corpus OPERATOR(pg_catalog.=) $1 RETURNING m.xid)
SELECT DISTINCT t.xid::text FROM taken t
