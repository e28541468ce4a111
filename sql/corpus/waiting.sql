-- Changes visible in snapshot $1: how many are pending, and how many were set aside.
SELECT count(*) FILTER (WHERE c.next_attempt_at < 'infinity')
           + (SELECT count(*) FROM socle.missed_change m WHERE m.corpus = {name}
               AND pg_visible_in_snapshot(m.xid, $1::pg_snapshot)) AS waiting,
       count(*) FILTER (WHERE c.next_attempt_at = 'infinity') AS failed
FROM {change} c WHERE pg_visible_in_snapshot(c.xid, $1::pg_snapshot)
