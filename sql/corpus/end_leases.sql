UPDATE {change} c SET lease_id = NULL, lease_pid = NULL, lease_until = NULL WHERE c.lease_id IS NOT NULL
