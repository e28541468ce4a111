UPDATE socle.corpus AS c SET state = $2, state_reason = $3 WHERE c.name OPERATOR(pg_catalog.=) $1
