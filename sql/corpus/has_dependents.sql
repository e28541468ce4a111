-- Whether an object that is not part of the table itself depends on it, such as a view.
SELECT EXISTS (SELECT FROM pg_depend d WHERE d.refclassid = 'pg_class'::regclass AND d.refobjid = $1 AND d.deptype = 'n'
                 AND d.classid NOT IN ('pg_policy'::regclass, 'pg_trigger'::regclass))
