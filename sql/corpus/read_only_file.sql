-- The value in the configuration files, which a session that has set its own does not show.
SELECT f.setting FROM pg_file_settings f WHERE f.name = 'default_transaction_read_only' AND f.applied
    ORDER BY f.seqno DESC LIMIT 1
