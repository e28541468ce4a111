-- Everything that belongs to the extension, with all that can be told of it: two installations that say the same here are
-- the same.
WITH member AS (
    SELECT d.classid, d.objid FROM pg_depend d
    WHERE d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e'
      AND d.refobjid = (SELECT oid FROM pg_extension WHERE extname = 'socle')
), relation AS (
    SELECT c.* FROM member m JOIN pg_class c ON c.oid = m.objid AND m.classid = 'pg_class'::regclass
)
SELECT 'member', pg_describe_object(m.classid, m.objid, 0),
       concat_ws(E'\n', 'comment: ' || obj_description(m.objid, (SELECT relname FROM pg_class WHERE oid = m.classid)),
                 'privileges at installation: ' || (SELECT string_agg(i.objsubid || ' ' || i.initprivs::text, ', ' ORDER BY i.objsubid)
                                                    FROM pg_init_privs i WHERE i.objoid = m.objid AND i.classoid = m.classid))
FROM member m
UNION ALL
SELECT 'function', p.oid::regprocedure::text, concat_ws(E'\n', pg_get_functiondef(p.oid), p.proowner::regrole, p.proacl::text)
FROM member m JOIN pg_proc p ON p.oid = m.objid AND m.classid = 'pg_proc'::regclass
UNION ALL
SELECT 'relation', r.oid::regclass::text,
       concat_ws(E'\n', r.relkind, r.relowner::regrole, r.relacl::text, r.reloptions::text, r.relrowsecurity, r.relpersistence,
                 CASE WHEN r.relkind = 'v' THEN pg_get_viewdef(r.oid) END)
FROM relation r
UNION ALL
SELECT 'column', r.oid::regclass || ' ' || row_number() OVER (PARTITION BY r.oid ORDER BY a.attnum),
       concat_ws(E'\n', a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull, a.attidentity, a.attgenerated, a.attstorage,
                 a.attcompression, a.attcollation::regcollation, a.attacl::text, pg_get_expr(d.adbin, d.adrelid),
                 col_description(r.oid, a.attnum))
FROM relation r JOIN pg_attribute a ON a.attrelid = r.oid AND a.attnum > 0 AND NOT a.attisdropped
LEFT JOIN pg_attrdef d ON d.adrelid = r.oid AND d.adnum = a.attnum
UNION ALL
-- PostgreSQL 18 names NOT NULL constraints after the first name of their table.
SELECT 'constraint', r.oid::regclass || ' ' || CASE WHEN c.contype = 'n' THEN pg_get_constraintdef(c.oid) ELSE c.conname END,
       concat_ws(E'\n', pg_get_constraintdef(c.oid), c.convalidated, obj_description(c.oid, 'pg_constraint'))
FROM relation r JOIN pg_constraint c ON c.conrelid = r.oid
UNION ALL
SELECT 'index', i.indexrelid::regclass::text, pg_get_indexdef(i.indexrelid)
FROM relation r JOIN pg_index i ON i.indrelid = r.oid
UNION ALL
SELECT 'trigger', r.oid::regclass || ' ' || t.tgname, concat_ws(' ', pg_get_triggerdef(t.oid), t.tgenabled)
FROM relation r JOIN pg_trigger t ON t.tgrelid = r.oid WHERE NOT t.tgisinternal
UNION ALL
SELECT 'policy', r.oid::regclass || ' ' || p.polname,
       concat_ws(E'\n', p.polcmd, p.polroles::regrole[]::text, pg_get_expr(p.polqual, r.oid), pg_get_expr(p.polwithcheck, r.oid))
FROM relation r JOIN pg_policy p ON p.polrelid = r.oid
UNION ALL
SELECT 'rule', r.oid::regclass || ' ' || u.rulename, pg_get_ruledef(u.oid)
FROM relation r JOIN pg_rewrite u ON u.ev_class = r.oid
UNION ALL
SELECT 'event trigger', e.evtname, concat_ws(E'\n', e.evtevent, e.evttags::text, e.evtenabled, e.evtfoid::regproc)
FROM member m JOIN pg_event_trigger e ON e.oid = m.objid AND m.classid = 'pg_event_trigger'::regclass
UNION ALL
SELECT 'type', t.oid::regtype::text, concat_ws(E'\n', t.typtype, t.typacl::text, pg_get_expr(t.typdefaultbin, 0))
FROM member m JOIN pg_type t ON t.oid = m.objid AND m.classid = 'pg_type'::regclass
UNION ALL
SELECT 'schema', n.nspname, concat_ws(E'\n', n.nspowner::regrole, n.nspacl::text)
FROM pg_namespace n WHERE n.nspname IN ('socle', 'socle_internal')
UNION ALL
SELECT 'extension', x.extname, concat_ws(E'\n', x.extversion, x.extrelocatable, (SELECT string_agg(
           r.oid::regclass || ' where ' || x.extcondition[k.position], ', ' ORDER BY r.oid::regclass::text)
           FROM unnest(x.extconfig) WITH ORDINALITY AS k (oid, position) JOIN pg_class r ON r.oid = k.oid),
           obj_description(x.oid, 'pg_extension'))
FROM pg_extension x WHERE x.extname = 'socle'
ORDER BY 1, 2
