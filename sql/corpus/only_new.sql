-- Whether the command has only created new objects, none of them a part of a table.
SELECT NOT EXISTS (
    SELECT FROM pg_event_trigger_ddl_commands() AS o
    WHERE o.command_tag NOT LIKE 'CREATE %' AND o.command_tag <> 'ALTER SEQUENCE'
       OR EXISTS (SELECT FROM pg_inherits h WHERE h.inhrelid = o.objid AND o.classid = 'pg_class'::regclass))
