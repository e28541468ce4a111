UPDATE {change} c SET lease_until = clock_timestamp() + make_interval(secs => $3)
WHERE c.change_id = ANY ($1) AND c.lease_id = $2 AND c.lease_until >= clock_timestamp()
