-- Number of sync workers in this database, and in all.
SELECT count(*) FILTER (WHERE a.datname = current_database()), count(*) FROM pg_stat_activity a
    WHERE a.backend_type = 'socle sync'
