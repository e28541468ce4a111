-- Table $1 as SQL, if it was created for a corpus: such a table depends on the extension, and no role can make another
-- table depend on it.
SELECT d.objid::regclass::text
FROM pg_depend d
WHERE d.classid = 'pg_class'::regclass AND d.objid = $1 AND d.refclassid = 'pg_extension'::regclass
  AND d.refobjid = (SELECT e.oid FROM pg_extension e WHERE e.extname = 'socle')
