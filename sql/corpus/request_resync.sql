-- Once in a transaction. One that another has asked for may be over before this transaction is.
INSERT INTO {change} ({first_key_name})
SELECT NULL WHERE NOT EXISTS (
    SELECT FROM {change} c WHERE {first_key c} IS NULL AND c.batch_1 IS NULL AND c.xid = pg_current_xact_id())
