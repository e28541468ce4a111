-- Requests a resync, once in a transaction. One that another transaction has requested may be over before this one is.
INSERT INTO {change} ({first_key_name})
SELECT NULL WHERE NOT EXISTS (
    SELECT FROM {change} c WHERE {first_key c} IS NULL AND c.batch_1 IS NULL AND c.xid = pg_current_xact_id())
