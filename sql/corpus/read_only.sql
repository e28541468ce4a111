-- The value of default_transaction_read_only for workers in this database, the most specific setting first; 'live'
-- where none is set and this session has the value of the configuration, else 'unknown'.
SELECT coalesce(
    (SELECT CASE WHEN substr(x.setting, strpos(x.setting, '=') + 1)::boolean THEN 'on' ELSE 'off' END
     FROM pg_db_role_setting s CROSS JOIN LATERAL unnest(s.setconfig) AS x (setting)
     WHERE s.setdatabase IN (0, (SELECT d.oid FROM pg_database d WHERE d.datname = current_database()))
       AND s.setrole IN (0, 10) AND x.setting LIKE 'default\_transaction\_read\_only=%'
     ORDER BY s.setrole <> 0 DESC, s.setdatabase <> 0 DESC LIMIT 1),
    (SELECT CASE WHEN p.source IN ('default', 'environment variable', 'configuration file', 'command line', 'override')
                 THEN 'live' ELSE 'unknown' END
     FROM pg_settings p WHERE p.name = 'default_transaction_read_only'))
