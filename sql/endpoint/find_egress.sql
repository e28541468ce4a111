-- The endpoints that each of the corpora $1 allows, in this order; none for one that is gone.
SELECT coalesce((SELECT c.egress FROM socle.corpus AS c WHERE c.name OPERATOR(pg_catalog.=) n.name), '{}'::pg_catalog.text[])
FROM pg_catalog.unnest($1::pg_catalog.text[]) WITH ORDINALITY AS n (name, position)
ORDER BY n.position USING OPERATOR(pg_catalog.<)
