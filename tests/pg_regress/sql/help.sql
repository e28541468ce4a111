-- socle.help: every function, view and argument is explained; nothing is explained that is not there any more.
SELECT h.name AS without_an_area_or_description FROM socle.help() AS h WHERE h.area = 'other' OR h.description IS NULL;
SELECT h.name, part.name AS without_a_meaning FROM socle.help() AS h, socle.help(h.name) AS part WHERE part.description IS NULL;
SELECT member AS explained_and_not_there
FROM pg_proc, regexp_matches(prosrc, '\(\d, ''\w+'', ''\{([^}]+)\}', 'g') AS list, regexp_split_to_table(list[1], '[,\s]+') AS member
WHERE oid = 'socle.help(text)'::regprocedure AND member NOT IN (SELECT h.name FROM socle.help() AS h);
SELECT argument[1] AS explained_and_not_there
FROM pg_proc, regexp_matches(prosrc, '\(''(\w+)'', (?:NULL|''\{)', 'g') AS argument
WHERE oid = 'socle.help(text)'::regprocedure
  AND NOT EXISTS (SELECT FROM pg_proc p WHERE p.pronamespace = 'socle'::regnamespace AND argument[1] = ANY (p.proargnames));
-- An area, a function with several forms, a view, a part of a name, and nothing.
SELECT name, type FROM socle.help('texts');
SELECT * FROM socle.help('socle.embed');
SELECT name, type, description FROM socle.help('model_status') LIMIT 3;
SELECT name, description FROM socle.help('stop');
SELECT * FROM socle.help('nothing of the kind');
