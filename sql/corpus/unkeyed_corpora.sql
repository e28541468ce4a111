-- Corpora to check after a command that has dropped a constraint, an index or a trigger; but not with the whole table
-- that it was on: other tables lose no more by that than a foreign key.
SELECT b.corpus FROM socle.corpus_binding b
WHERE EXISTS (SELECT FROM pg_event_trigger_dropped_objects() AS o
              WHERE o.classid = 'pg_constraint'::regclass OR o.object_type IN ('index', 'trigger', 'table column'))
  AND EXISTS (SELECT FROM pg_event_trigger_dropped_objects() AS o
              WHERE o.original AND o.object_type NOT IN ('table', 'view', 'materialized view', 'foreign table'))
