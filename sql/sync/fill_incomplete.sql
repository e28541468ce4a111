-- Whether what a resync has found, or what was changed up to $1, still waits for its first attempt. Not whether
-- anything is pending: there may always be a writer as fast as all workers together, and a document that fails again
-- and again.
SELECT EXISTS (
    SELECT FROM {change} c
    WHERE c.next_attempt_at < 'infinity' AND c.attempt_count = 0
      AND (c.compared OR c.changed_at <= $1::timestamptz OR ({first_key c} IS NULL AND c.batch_1 IS NULL)))
