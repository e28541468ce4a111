-- Work that is due, work that becomes due, and the seconds until then.
SELECT EXISTS (SELECT FROM {change} c WHERE c.next_attempt_at <= clock_timestamp()
                 AND (c.lease_until IS NULL OR c.lease_until < clock_timestamp())) AS due,
       EXISTS (SELECT FROM {change} c WHERE c.next_attempt_at < 'infinity') AS waiting
