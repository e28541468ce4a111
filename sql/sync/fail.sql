-- $3 seconds until the next attempt, NULL to set the change aside; $7 number of this attempt.
UPDATE {change} c
SET lease_id = NULL, lease_pid = NULL, lease_until = NULL, attempt_count = $7,
    failed_at = clock_timestamp(), failed_step = $4, error_sqlstate = $5, error_message = $6,
    next_attempt_at = coalesce(clock_timestamp() + make_interval(secs => $3), 'infinity')
WHERE c.change_id = ANY ($1) AND c.lease_id = $2
