-- Ids for $2 new chunks of the chunk table $1.
SELECT nextval(pg_get_serial_sequence($1::oid::regclass::text, 'chunk_id')) FROM generate_series(1, $2)
