-- Whether anything waits, whether something has been due for longer than it takes to begin, and when the next attempt is due of what
-- failed, in seconds.
SELECT coalesce(bool_or(c.next_attempt_at < 'infinity'), false),
       coalesce(bool_or(c.next_attempt_at <= clock_timestamp() AND c.changed_at < clock_timestamp() - interval '2 seconds'
                        AND (c.lease_until IS NULL OR c.lease_until < clock_timestamp())), false),
       extract(epoch FROM min(c.next_attempt_at) FILTER (WHERE c.next_attempt_at < 'infinity' AND c.next_attempt_at > clock_timestamp())
                          - clock_timestamp())::double precision
FROM {change} c
