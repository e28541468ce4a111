-- A change without a key asks for a comparison of everything, once rows with many keys before it have been taken apart. What
-- that finds belongs to the transaction that asked. That has to be over and done with: a partition it has attached is not
-- seen by everybody before it gives up its locks, though its rows are.
WITH taken AS (
    DELETE FROM {change} c
    WHERE {first_key c} IS NULL AND c.batch_1 IS NULL AND c.next_attempt_at <= clock_timestamp()
      AND NOT EXISTS (SELECT FROM {change} b WHERE {first_key b} IS NULL AND b.batch_1 IS NOT NULL AND b.change_id < c.change_id)
      AND NOT EXISTS (SELECT FROM pg_locks l WHERE l.locktype = 'transactionid' AND l.transactionid = c.xid::xid)
    RETURNING c.xid)
SELECT min(t.xid)::text FROM taken t HAVING count(*) > 0
