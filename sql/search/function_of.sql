-- A function of schema $1 and name $2; NULL if there is none.
SELECT (SELECT p.oid FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
        WHERE n.nspname = $1 AND p.proname = $2 ORDER BY p.oid LIMIT 1)
