-- What default_transaction_read_only has been set to for sessions of workers in this database, the last word first; 'live' where
-- nothing was set and the value of this session is that of the configuration, else 'unknown'.
SELECT coalesce(
    (SELECT CASE WHEN substr(x.setting, strpos(x.setting, '=') + 1)::boolean THEN 'on' ELSE 'off' END
     FROM pg_db_role_setting s CROSS JOIN LATERAL unnest(s.setconfig) AS x (setting)
     WHERE s.setdatabase IN (0, (SELECT d.oid FROM pg_database d WHERE d.datname = current_database()))
       AND s.setrole IN (0, 10) AND x.setting LIKE 'default\_transaction\_read\_only=%'
     ORDER BY s.setrole <> 0 DESC, s.setdatabase <> 0 DESC LIMIT 1),
    (SELECT CASE WHEN p.source IN ('default', 'environment variable', 'configuration file', 'command line', 'override') THEN 'live' ELSE 'unknown' END
     FROM pg_settings p WHERE p.name = 'default_transaction_read_only'))
