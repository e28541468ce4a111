-- Whether an erasure of corpus $1 can go on now; no row where none is pending.
SELECT bool_or(e.next_attempt_at <= clock_timestamp()) FROM socle.erasure e
WHERE e.corpus = $1 AND e.state = 'pending' HAVING count(*) > 0
