UPDATE socle.corpus AS c SET egress = $2 WHERE c.name = $1 OR c.replaces = $1
