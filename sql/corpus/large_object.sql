-- An expression over a large object; NULL if it does not exist. Checks the privilege that lo_get() requires, without
-- its error.
(SELECT {what} FROM pg_largeobject_metadata o
 CROSS JOIN LATERAL (
    SELECT EXISTS (SELECT FROM aclexplode(coalesce(o.lomacl, acldefault('L', o.lomowner))) AS a
                   WHERE a.privilege_type = 'SELECT' AND (a.grantee = 0 OR pg_has_role(a.grantee, 'USAGE'))) AS readable
    OFFSET 0) AS r
 WHERE o.oid = {column})
