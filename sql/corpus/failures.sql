-- One row for each document: its last failure.
SELECT DISTINCT ON ({keys c}) c.attempt_count, nullif(c.next_attempt_at, 'infinity') AS next_attempt_at,
       c.next_attempt_at = 'infinity' AS parked, c.failed_at, c.failed_step, c.error_sqlstate, c.error_message, {keys c}
FROM {change} c WHERE c.failed_at IS NOT NULL ORDER BY {keys c}, c.failed_at DESC
