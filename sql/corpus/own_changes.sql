SELECT EXISTS (SELECT FROM {change} c WHERE c.xid = pg_current_xact_id_if_assigned())
