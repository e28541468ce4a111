-- The rows of a dump. A role that restores one without being superuser, as the owner of a database does, may add
-- corpora over its own tables, and no models.

CREATE FUNCTION socle._check_restored() RETURNS trigger
LANGUAGE c VOLATILE PARALLEL UNSAFE COST 100 SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'check_restored';
COMMENT ON FUNCTION socle._check_restored() IS 'lets whoever restores a dump add corpora over tables of his own, and leaves out models that are registered';
REVOKE ALL ON FUNCTION socle._check_restored() FROM PUBLIC;

CREATE TRIGGER check_restored BEFORE INSERT ON socle.model FOR EACH ROW EXECUTE FUNCTION socle._check_restored();
ALTER TABLE socle.model ENABLE ALWAYS TRIGGER check_restored;
COMMENT ON TRIGGER check_restored ON socle.model IS 'leaves out what somebody inserts who is no superuser: models are registered by socle.register_model';
GRANT INSERT ON socle.model TO PUBLIC;

CREATE TRIGGER check_restored BEFORE INSERT ON socle.corpus FOR EACH ROW EXECUTE FUNCTION socle._check_restored();
ALTER TABLE socle.corpus ENABLE ALWAYS TRIGGER check_restored;
COMMENT ON TRIGGER check_restored ON socle.corpus IS 'refuses what somebody inserts who is no superuser, but for corpora over tables of his own';
GRANT INSERT ON socle.corpus TO PUBLIC;
