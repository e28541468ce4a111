-- A change without a key requests a resync, once rows with many keys before it have been expanded. What that finds
-- belongs to the requesting transaction, which has to have released its locks: a partition that it has attached is not
-- visible to all sessions before that, though its rows are.
WITH taken AS (
    DELETE FROM {change} c
    WHERE {first_key c} IS NULL AND c.batch_1 IS NULL AND c.next_attempt_at <= clock_timestamp()
      AND NOT EXISTS (SELECT FROM {change} b WHERE {first_key b} IS NULL AND b.batch_1 IS NOT NULL AND b.change_id < c.change_id)
      AND NOT EXISTS (SELECT FROM pg_locks l WHERE l.locktype = 'transactionid' AND l.transactionid = c.xid::xid)
    RETURNING c.xid)
SELECT min(t.xid)::text FROM taken t HAVING count(*) > 0
