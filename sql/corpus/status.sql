SELECT (SELECT count(*) FROM {document}) AS document_count,
       (SELECT coalesce(sum(d.chunk_count), 0) FROM {document} d) AS chunk_count,
       coalesce(sum(coalesce(cardinality(c.batch_1), 1)) FILTER (WHERE c.next_attempt_at < 'infinity'), 0)::bigint AS pending_count,
       count(DISTINCT {key_json c}) FILTER (WHERE c.next_attempt_at = 'infinity') AS failed_count,
       min(c.changed_at) FILTER (WHERE c.next_attempt_at < 'infinity') AS oldest_pending_at
FROM {change} c
