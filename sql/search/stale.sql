-- Those of the chunks $1 whose documents have changed since, whether or not that can be worked on.
-- One look into the index of the log for each, by a sub-select that stays one: never through the log, which may be long, or
-- empty and full of rows that are dead.
SELECT k.chunk_id FROM {chunk} k
WHERE k.chunk_id = ANY ($1) AND (SELECT true FROM {change} c WHERE {same c k} LIMIT 1)
UNION ALL
SELECT k.chunk_id
FROM {chunk} k
JOIN (SELECT b.* FROM {change} c CROSS JOIN LATERAL unnest({batches c}) AS b ({key_names})
      WHERE {first_key c} IS NULL AND c.batch_1 IS NOT NULL) AS b
    ON {same b k}
WHERE k.chunk_id = ANY ($1)
UNION ALL
-- Where everything is still to be compared ($2: because this transaction has changes that are not in the log yet), these are
-- compared now.
SELECT k.chunk_id
FROM {chunk} k LEFT JOIN {source} s ON {same s k} LEFT JOIN {document} d ON {same d k}
WHERE k.chunk_id = ANY ($1) AND d.document_hash IS DISTINCT FROM {hash $3}
  AND ($2 OR EXISTS (SELECT FROM {change} c WHERE {first_key c} IS NULL AND c.batch_1 IS NULL))
