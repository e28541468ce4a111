-- What waits for its first attempt when source and chunks are compared counts as found by that: a corpus does not replace another
-- before it was tried.
UPDATE {change} c SET compared = true
WHERE NOT c.compared AND c.attempt_count = 0 AND c.lease_id IS NULL AND {first_key c} IS NOT NULL AND c.next_attempt_at < 'infinity'
