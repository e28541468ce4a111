-- Takes a document out of rows of the change log that hold many keys: each other key gets a row of its own.
WITH taken AS (
    DELETE FROM {change} c
    WHERE {first_key c} IS NULL AND c.batch_1 IS NOT NULL
      AND EXISTS (SELECT FROM unnest({batches c}) AS k ({key_names}) WHERE {is_it})
    RETURNING c.xid, c.changed_at, {batches c}),
other AS (
    INSERT INTO {change} (xid, changed_at, {key_names})
    SELECT t.xid, t.changed_at, {keys k} FROM taken t CROSS JOIN LATERAL unnest({batches t}) AS k ({key_names}) WHERE NOT ({is_it}))
SELECT count(*) FROM taken
