-- A change without a key asks for a comparison of everything.
DELETE FROM {change} c WHERE {first_key c} IS NULL AND c.next_attempt_at <= clock_timestamp()
