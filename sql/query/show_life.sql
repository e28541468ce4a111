SELECT pg_advisory_lock($1, pg_backend_pid())
