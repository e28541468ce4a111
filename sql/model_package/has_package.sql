-- Whether the model $1, or the generator of that name if $3, was registered from package $2.
SELECT CASE WHEN $3
            THEN EXISTS (SELECT FROM socle.generator AS g WHERE g.name OPERATOR(pg_catalog.=) $1 AND g.package OPERATOR(pg_catalog.=) $2)
            ELSE EXISTS (SELECT FROM socle.model AS m WHERE m.name OPERATOR(pg_catalog.=) $1 AND m.package OPERATOR(pg_catalog.=) $2) END
