SELECT e.xid::text FROM socle.erasure e WHERE e.corpus = $1 AND e.state = 'pending' AND e.next_attempt_at <= clock_timestamp()
