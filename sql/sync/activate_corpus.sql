-- Unless it has been paused meanwhile.
UPDATE socle.corpus AS c SET state = 'active', state_reason = NULL, filled_at = coalesce(c.filled_at, clock_timestamp())
WHERE c.name = $1 AND c.state = 'filling'
