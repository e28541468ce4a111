-- Objects that depend on a chunk table and would not survive its replacement.
SELECT DISTINCT pg_describe_object(d.classid, d.objid, 0)
FROM pg_depend d LEFT JOIN pg_rewrite r ON d.classid = 'pg_rewrite'::regclass AND r.oid = d.objid
WHERE d.refclassid = 'pg_class'::regclass AND d.refobjid = $1 AND d.deptype = 'n' AND d.classid <> 'pg_policy'::regclass
UNION
SELECT format('trigger %I', t.tgname) FROM pg_trigger t WHERE t.tgrelid = $1 AND NOT t.tgisinternal
UNION
SELECT format('publication %I', p.pubname) FROM pg_publication_rel x JOIN pg_publication p ON p.oid = x.prpubid
    WHERE x.prrelid = $1
