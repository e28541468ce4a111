-- The key that documents of corpus $1 are told apart by from now on.
UPDATE socle.corpus AS c SET key_columns = $2, key_operators = $3, chunk_key_columns = $4 WHERE c.name OPERATOR(pg_catalog.=) $1
