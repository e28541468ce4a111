DELETE FROM socle.trusted_key AS k WHERE k.name OPERATOR(pg_catalog.=) $1 RETURNING true
