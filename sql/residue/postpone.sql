-- Pending erasures of corpus $1 wait, for $2: for $3 seconds, then for twice as long each time, up to $4, as long as the
-- reason is the same.
UPDATE socle.erasure e
SET state_reason = $2,
    attempt_count = CASE WHEN e.state_reason = $2 THEN least(e.attempt_count + 1, 20) ELSE 1 END,
    next_attempt_at = clock_timestamp()
        + make_interval(secs => least($4, $3 * 2.0 ^ (CASE WHEN e.state_reason = $2 THEN e.attempt_count ELSE 0 END)))
WHERE e.corpus = $1 AND e.state = 'pending'
