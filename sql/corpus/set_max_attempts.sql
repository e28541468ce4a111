UPDATE socle.corpus AS c SET max_attempts = $2 WHERE c.name = $1
