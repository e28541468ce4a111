WITH again AS (
    UPDATE {change} c SET next_attempt_at = '-infinity', attempt_count = 0
    WHERE c.failed_at IS NOT NULL AND (c.lease_until IS NULL OR c.lease_until < clock_timestamp())
    RETURNING {keys c})
SELECT count(DISTINCT ROW({keys a})) FROM again a
