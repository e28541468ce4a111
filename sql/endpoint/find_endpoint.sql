SELECT pg_catalog.row_to_json(x)::pg_catalog.text
FROM (SELECT e.*,
             (SELECT r.rolsuper FROM pg_catalog.pg_roles AS r WHERE r.rolname OPERATOR(pg_catalog.=) CURRENT_USER)
             OR EXISTS (SELECT FROM socle.endpoint_grant AS g
                        WHERE g.endpoint OPERATOR(pg_catalog.=) e.name
                          AND CASE WHEN g.role OPERATOR(pg_catalog.=) 0::pg_catalog.oid THEN true
                              ELSE pg_catalog.pg_has_role(g.role, 'USAGE') END) AS may_use
      FROM socle.endpoint AS e WHERE e.name OPERATOR(pg_catalog.=) $1) AS x
