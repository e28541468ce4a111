-- Sets the key of corpus $1.
UPDATE socle.corpus AS c SET key_columns = $2, key_operators = $3, chunk_key_columns = $4 WHERE c.name OPERATOR(pg_catalog.=) $1
