-- The columns of the primary key: name, number, type, type with collation, equality operator of the index, whether the
-- type has an array type, whether it is composite, and whether the column has a domain over an enum.
SELECT a.attname::text, a.attnum, y.name, y.definition,
       format('OPERATOR(%I.%s)', pn.nspname, o.oprname), t.typarray <> 0, t.typtype = 'c',
       t.typtype = 'e' AND a.atttypid <> t.oid
FROM pg_index i
CROSS JOIN LATERAL unnest(i.indkey::smallint[], i.indclass::oid[]) WITH ORDINALITY AS k (attnum, opclass, position)
JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum
CROSS JOIN LATERAL socle_internal.column_type(a.attrelid, a.attnum) AS y (type, name, definition)
JOIN pg_type t ON t.oid = y.type
JOIN pg_opclass c ON c.oid = k.opclass
JOIN pg_am m ON m.oid = c.opcmethod AND m.amname = 'btree'
JOIN pg_amop p ON p.amopfamily = c.opcfamily AND p.amopstrategy = 3
    AND p.amoplefttype = c.opcintype AND p.amoprighttype = c.opcintype
JOIN pg_operator o ON o.oid = p.amopopr
JOIN pg_namespace pn ON pn.oid = o.oprnamespace
WHERE i.indrelid = $1 AND i.indisprimary AND i.indisvalid ORDER BY k.position
