CREATE TRIGGER {capture_trigger} AFTER INSERT OR UPDATE OR DELETE ON {source_table}
    FOR EACH ROW EXECUTE FUNCTION socle._capture_change({name});
ALTER TABLE {source_table} ENABLE ALWAYS TRIGGER {capture_trigger};
