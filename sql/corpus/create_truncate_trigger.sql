CREATE TRIGGER {truncate_trigger} AFTER TRUNCATE ON {relation}
    FOR EACH STATEMENT EXECUTE FUNCTION socle._capture_change({name});
ALTER TABLE {relation} ENABLE ALWAYS TRIGGER {truncate_trigger};
