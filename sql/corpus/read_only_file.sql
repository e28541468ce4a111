-- What the configuration says, of which a session that has set its own does not know.
SELECT f.setting FROM pg_file_settings f WHERE f.name = 'default_transaction_read_only' AND f.applied ORDER BY f.seqno DESC LIMIT 1
