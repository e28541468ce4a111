-- What users have put on a chunk table, as statements for table $2, which may lack the token vectors: privileges, storage
-- options, forced row security.
SELECT format('GRANT %s ON %s TO %s%s', a.privilege_type, $2,
              CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE a.grantee::regrole::text END,
              CASE WHEN a.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END)
FROM pg_class c CROSS JOIN LATERAL aclexplode(c.relacl) AS a
WHERE c.oid = $1 AND a.grantee <> c.relowner
UNION ALL
SELECT format('GRANT %s (%I) ON %s TO %s%s', a.privilege_type, t.attname, $2,
              CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE a.grantee::regrole::text END,
              CASE WHEN a.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END)
FROM pg_attribute t JOIN pg_class c ON c.oid = t.attrelid CROSS JOIN LATERAL aclexplode(t.attacl) AS a
WHERE t.attrelid = $1 AND NOT t.attisdropped AND a.grantee <> c.relowner
  AND EXISTS (SELECT FROM pg_attribute n WHERE n.attrelid = to_regclass($2) AND n.attname = t.attname AND NOT n.attisdropped)
UNION ALL
SELECT format('ALTER TABLE %s SET (%s)', $2, array_to_string(c.reloptions, ', ')) FROM pg_class c
WHERE c.oid = $1 AND c.reloptions IS NOT NULL
UNION ALL
SELECT format('ALTER TABLE %s FORCE ROW LEVEL SECURITY', $2) FROM pg_class c WHERE c.oid = $1 AND c.relforcerowsecurity
