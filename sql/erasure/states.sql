-- The corpora where erasure $1 is pending, what for, and when the next attempt is made.
SELECT s.corpus, s.state,
       s.state_reason || CASE WHEN s.next_attempt_at > clock_timestamp()
                              THEN format(' (the next attempt is in %s s)', ceil(extract(epoch FROM s.next_attempt_at - clock_timestamp())))
                              ELSE '' END
FROM socle.erasure_status s
WHERE s.erasure = $1 AND s.state <> 'done' AND EXISTS (SELECT FROM socle.corpus c WHERE c.name = s.corpus) ORDER BY s.corpus
