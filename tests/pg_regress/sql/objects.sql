-- Every object of the extension: any change of a signature, volatility, privilege or setting shows here.
\pset format unaligned
SELECT p.oid::regprocedure AS function, p.provolatile AS volatile, p.proparallel AS parallel, p.proisstrict AS strict,
       p.prosecdef AS definer, p.procost AS cost, p.prorows AS rows, p.proconfig AS settings,
       coalesce(replace(array_to_string(p.proacl, ' '), current_user, 'owner'), 'PUBLIC by default') AS privileges
FROM pg_proc p WHERE p.pronamespace IN ('socle'::regnamespace, 'socle_internal'::regnamespace) ORDER BY p.oid::regprocedure::text COLLATE "C";

SELECT p.oid::regprocedure::text COLLATE "C" AS function, pg_get_function_arguments(p.oid) AS arguments,
       pg_get_function_result(p.oid) AS result
FROM pg_proc p WHERE p.pronamespace IN ('socle'::regnamespace, 'socle_internal'::regnamespace) ORDER BY 1;

SELECT c.relname, c.relkind, c.relrowsecurity AS row_security,
       (SELECT string_agg(privilege_type, ' ') FROM aclexplode(c.relacl) WHERE grantee = 0) AS everybody_may,
       (SELECT count(*) FROM aclexplode(c.relacl) WHERE grantee NOT IN (0, c.relowner)) AS others_may
FROM pg_class c WHERE c.relnamespace = 'socle'::regnamespace AND c.relkind IN ('r', 'v') ORDER BY c.relname;

SELECT c.relname, a.attnum, a.attname, format_type(a.atttypid, a.atttypmod) AS type
FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
WHERE c.relnamespace = 'socle'::regnamespace AND c.relkind IN ('r', 'v') AND a.attnum > 0 AND NOT a.attisdropped
ORDER BY c.relname, a.attnum;

SELECT nspacl::text LIKE '%=U/%' AS everybody_may_use_the_schema FROM pg_namespace WHERE nspname IN ('socle', 'socle_internal');

-- Objects without a comment: none.
SELECT pg_describe_object(d.classid, d.objid, 0) AS without_comment
FROM pg_depend d
WHERE d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e'
  AND d.refobjid = (SELECT oid FROM pg_extension WHERE extname = 'socle')
  AND d.classid <> 'pg_type'::regclass
  AND obj_description(d.objid, (SELECT relname FROM pg_class WHERE oid = d.classid)) IS NULL;
SELECT c.relname, a.attname AS without_comment
FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
WHERE c.relnamespace = 'socle'::regnamespace AND c.relkind IN ('r', 'v') AND a.attnum > 0
  AND col_description(c.oid, a.attnum) IS NULL;

SELECT socle.version() IS NOT NULL AS library_is_loaded;
SELECT name, context, vartype, unit, boot_val, min_val, max_val, pg_settings_get_flags(name) AS flags
FROM pg_settings WHERE name LIKE 'socle.%' ORDER BY name COLLATE "C";
SELECT name AS description_without_a_verb FROM pg_settings
WHERE name LIKE 'socle.%' AND short_desc !~ '^(Sets|Cuts) .*\.$';
