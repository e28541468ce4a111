-- Whether the caller may use generator $1.
SELECT m.public_use
    OR (SELECT r.rolsuper FROM pg_catalog.pg_roles AS r WHERE r.rolname OPERATOR(pg_catalog.=) CURRENT_USER)
    OR EXISTS (SELECT FROM socle.generator_grant AS g
               WHERE g.generator OPERATOR(pg_catalog.=) m.name AND pg_catalog.pg_has_role(g.role, 'USAGE'))
FROM socle.generator AS m WHERE m.name OPERATOR(pg_catalog.=) $1
