-- Whether changes of source $1 may go unnoticed, in little time: a trigger of socle on it is disabled, or it has partitions
-- ($2), each of which has a trigger of its own.
SELECT $2 OR EXISTS (
    SELECT FROM pg_trigger g
    WHERE g.tgrelid = $1 AND g.tgenabled IN ('D', 'R') AND g.tgfoid = 'socle._capture_change()'::regprocedure)
