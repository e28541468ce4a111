-- Hands changes back that take long, to be claimed again in $3 seconds.
UPDATE {change} c
SET lease_id = NULL, lease_pid = NULL, lease_until = NULL, attempt_count = c.attempt_count - 1,
    next_attempt_at = clock_timestamp() + make_interval(secs => $3)
WHERE c.change_id = ANY ($1) AND c.lease_id = $2
