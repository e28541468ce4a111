SELECT EXISTS (SELECT FROM socle.erasure e WHERE e.erasure = $1 AND e.xid = pg_current_xact_id_if_assigned())
