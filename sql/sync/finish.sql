DELETE FROM {change} c WHERE c.change_id = ANY ($1) AND c.lease_id = $2
