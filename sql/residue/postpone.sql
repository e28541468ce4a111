UPDATE socle.erasure e SET state_reason = $2, next_attempt_at = clock_timestamp() + make_interval(secs => $3)
WHERE e.corpus = $1 AND e.state = 'pending'
