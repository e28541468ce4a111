SELECT EXISTS (SELECT FROM {change} c WHERE c.xid = pg_current_xact_id_if_assigned())
    OR EXISTS (SELECT FROM socle.missed_change m WHERE m.corpus = {name} AND m.xid = pg_current_xact_id_if_assigned())
