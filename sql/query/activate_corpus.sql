-- Unless somebody has paused it meanwhile.
UPDATE socle.corpus AS c SET state = 'active', state_reason = NULL WHERE c.name = $1 AND c.state = 'filling'
