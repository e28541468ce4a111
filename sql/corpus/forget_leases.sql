UPDATE {change} c SET lease_id = NULL, lease_pid = NULL, lease_until = NULL, xid = pg_current_xact_id() WHERE true
