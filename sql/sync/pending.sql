-- Whether changes wait, those that are worked on included.
SELECT EXISTS (SELECT FROM {change} c WHERE c.next_attempt_at < 'infinity') AS waiting
