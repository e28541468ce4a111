-- A later endpoint of this name must not be allowed by corpora that meant this one.
WITH corpora AS (
    UPDATE socle.corpus AS c SET egress = pg_catalog.array_remove(c.egress, $1)
    WHERE $1 OPERATOR(pg_catalog.=) ANY (c.egress)
)
DELETE FROM socle.endpoint AS e WHERE e.name OPERATOR(pg_catalog.=) $1
