-- What is set for this database, for the role of workers, or both, as name=value: what has precedence last.
SELECT x.setting
FROM pg_db_role_setting s CROSS JOIN LATERAL unnest(s.setconfig) WITH ORDINALITY AS x (setting, number)
WHERE s.setdatabase IN (0, (SELECT d.oid FROM pg_database d WHERE d.datname = current_database())) AND s.setrole IN (0, 10)
ORDER BY s.setrole <> 0, s.setdatabase <> 0, x.number
