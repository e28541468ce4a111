-- Whether the first fill, or what came while it went on, is still to be done. Not whether anything waits: there may always be
-- a writer, and a document that fails again and again.
SELECT EXISTS (
    SELECT FROM {change} c
    WHERE c.next_attempt_at < 'infinity'
      AND (c.attempt_count = 0 OR (c.attempt_count = 1 AND c.lease_until >= clock_timestamp()))
      AND ({first_key c} IS NULL OR c.compared OR c.changed_at < clock_timestamp() - interval '2 seconds'))
