-- Expands some rows with many keys into rows with one key each. Their own key is NULL: the index by key finds them.
WITH taken AS (
    DELETE FROM {change} c
    WHERE c.change_id = ANY (ARRAY(SELECT b.change_id FROM {change} b WHERE {first_key b} IS NULL
        AND b.batch_1 IS NOT NULL ORDER BY b.change_id LIMIT 100))
    RETURNING c.xid, c.changed_at, {batches c})
INSERT INTO {change} (xid, changed_at, {key_names})
SELECT t.xid, t.changed_at, k.* FROM taken t CROSS JOIN LATERAL unnest({batches t}) AS k
