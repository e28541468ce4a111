-- Hands changes back that take long, to be claimed again once there is room for them: the time says so, and is past.
UPDATE {change} c
SET lease_id = NULL, lease_pid = NULL, lease_until = NULL, next_attempt_at = 'epoch'
WHERE c.change_id = ANY ($1) AND c.lease_id = $2
