-- The columns of the primary key: name, number, type, collation if it is not that of the type, equality operator of the
-- index, and whether there are arrays of the type.
SELECT a.attname::text, a.attnum,
       format_type(a.atttypid, a.atttypmod),
       CASE WHEN a.attcollation <> t.typcollation THEN format(' COLLATE %I.%I', ln.nspname, l.collname) ELSE '' END,
       format('OPERATOR(%I.%s)', pn.nspname, o.oprname), t.typarray <> 0
FROM pg_index i
CROSS JOIN LATERAL unnest(i.indkey::smallint[], i.indclass::oid[]) WITH ORDINALITY AS k (attnum, opclass, position)
JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum
JOIN pg_type t ON t.oid = a.atttypid
LEFT JOIN pg_collation l ON l.oid = a.attcollation
LEFT JOIN pg_namespace ln ON ln.oid = l.collnamespace
JOIN pg_opclass c ON c.oid = k.opclass
JOIN pg_am m ON m.oid = c.opcmethod AND m.amname = 'btree'
JOIN pg_amop p ON p.amopfamily = c.opcfamily AND p.amopstrategy = 3
    AND p.amoplefttype = c.opcintype AND p.amoprighttype = c.opcintype
JOIN pg_operator o ON o.oid = p.amopopr
JOIN pg_namespace pn ON pn.oid = o.oprnamespace
WHERE i.indrelid = $1 AND i.indisprimary ORDER BY k.position
