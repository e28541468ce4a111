-- $1 documents at most, $2 lease, $3 its length in seconds, $4 numbers of the live workers, $5 that of this one, $6 whether
-- documents are claimed that were put off. All changes of a document are claimed together; a document that another worker
-- has leased is skipped. What is counted are attempts that failed: a worker that is ended costs no document one.
WITH due AS MATERIALIZED (
    SELECT c.change_id, {keys c}
    FROM {change} c
    WHERE c.next_attempt_at <= clock_timestamp() AND ($6 OR c.next_attempt_at <> 'epoch') AND {first_key c} IS NOT NULL
      AND (c.lease_until IS NULL OR c.lease_until < clock_timestamp() OR c.lease_pid <> ALL ($4))
      AND NOT EXISTS (SELECT FROM {change} o WHERE {same o c} AND o.lease_until >= clock_timestamp() AND o.lease_pid = ANY ($4))
    ORDER BY c.change_id LIMIT $1 FOR UPDATE OF c SKIP LOCKED),
attempt AS MATERIALIZED (
    SELECT min(l.change_id) AS leader, min(c.attempt_count) + 1 AS attempt, {keys c}
    FROM due l JOIN {change} c ON {same c l} GROUP BY {keys c})
UPDATE {change} c
SET lease_id = $2, lease_pid = $5, lease_until = clock_timestamp() + make_interval(secs => $3)
FROM attempt a WHERE {same c a}
RETURNING a.leader, c.change_id, a.attempt
