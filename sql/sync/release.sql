-- Hands changes back whose failure was not their fault.
UPDATE {change} c SET lease_id = NULL, lease_pid = NULL, lease_until = NULL
WHERE c.change_id = ANY ($1) AND c.lease_id = $2
