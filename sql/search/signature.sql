-- The arguments of socle.search after the corpus, in order, and then the columns of its result: whether it is a
-- column, name as SQL, type as SQL, default as SQL.
SELECT a.mode = 't', quote_ident(a.name), format_type(a.type_id, NULL),
       CASE WHEN a.mode <> 't' THEN pg_get_function_arg_default(p.oid, a.number::integer) END
FROM pg_proc p CROSS JOIN unnest(p.proallargtypes, p.proargmodes, p.proargnames) WITH ORDINALITY AS a (type_id, mode,
    name, number)
WHERE p.pronamespace = 'socle'::regnamespace AND p.proname = 'search' AND p.proargtypes[0] = 'text'::regtype AND a.number > 1
ORDER BY a.number
