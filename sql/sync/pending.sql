-- Whether changes are pending, leased ones included.
SELECT EXISTS (SELECT FROM {change} c WHERE c.next_attempt_at < 'infinity') AS waiting
