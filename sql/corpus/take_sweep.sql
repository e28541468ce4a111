-- A change without a key asks for a comparison of everything, once rows with many keys have been taken apart. What that
-- finds belongs to the transaction that asked.
WITH taken AS (
    DELETE FROM {change} c
    WHERE {first_key c} IS NULL AND c.batch_1 IS NULL AND c.next_attempt_at <= clock_timestamp()
      AND NOT EXISTS (SELECT FROM {change} b WHERE b.batch_1 IS NOT NULL)
    RETURNING c.xid)
SELECT min(t.xid)::text FROM taken t HAVING count(*) > 0
