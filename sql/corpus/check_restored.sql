-- What is wrong with the row $1 of socle.corpus; NULL if it describes tables of the caller, and nothing of another role
-- that would be run as it is. $1 has gone through the types of its columns.
SELECT CASE
    WHEN EXISTS (SELECT FROM unnest(c.key_columns || c.key_operators || c.chunk_key_columns || c.content_columns || c.content_roles
                                    || c.template_columns) AS x (name) WHERE x.name IS NULL)
        THEN 'a name is NULL'
    WHEN cardinality(c.key_columns) = 0 OR cardinality(c.key_operators) <> cardinality(c.key_columns)
         OR cardinality(c.chunk_key_columns) <> cardinality(c.key_columns)
         OR cardinality(c.content_roles) <> cardinality(c.content_columns)
        THEN 'lists are of different lengths'
    -- Only superusers create operator classes.
    WHEN EXISTS (
        SELECT FROM unnest(c.key_operators) AS k (operator)
        WHERE NOT EXISTS (
            SELECT FROM pg_amop p
            JOIN pg_am m ON m.oid = p.amopmethod AND m.amname = 'btree'
            JOIN pg_operator o ON o.oid = p.amopopr
            JOIN pg_namespace n ON n.oid = o.oprnamespace
            WHERE p.amopstrategy = 3 AND p.amoplefttype = p.amoprighttype
              AND k.operator = format('OPERATOR(%I.%s)', n.nspname, o.oprname)))
        THEN 'an operator of its key is none that an index compares with'
    WHEN t.tables <> 4 THEN 'its tables are not there'
    WHEN t.owners <> 1 OR NOT t.own THEN 'its tables belong to another role'
    END
FROM (SELECT ($1).*) AS c
CROSS JOIN LATERAL (
    SELECT count(*) AS tables, count(DISTINCT k.relowner) AS owners, bool_and(pg_has_role(k.relowner, 'USAGE')) AS own
    FROM (VALUES (c.source_schema, c.source_table, 'rp'), (c.chunk_schema, c.chunk_table, 'r'),
                 (c.chunk_schema, c.change_table, 'r'), (c.chunk_schema, c.document_table, 'r')) AS w (schema, name, kinds)
    JOIN pg_namespace n ON n.nspname = w.schema
    JOIN pg_class k ON k.relnamespace = n.oid AND k.relname = w.name AND k.relpersistence <> 't'
        AND strpos(w.kinds, k.relkind::text) > 0) AS t
