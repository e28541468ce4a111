-- The rows of a dump. A role that restores one without being superuser, as the owner of a database does, may add
-- corpora over its own tables, and no models or generators.

CREATE FUNCTION socle_internal.check_restored() RETURNS trigger
LANGUAGE c VOLATILE PARALLEL UNSAFE COST 100 SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'check_restored';
COMMENT ON FUNCTION socle_internal.check_restored IS 'lets a role that restores a dump add corpora over its own tables, and skips models that are registered already';

CREATE TRIGGER check_restored BEFORE INSERT ON socle.model FOR EACH ROW EXECUTE FUNCTION socle_internal.check_restored();
ALTER TABLE socle.model ENABLE ALWAYS TRIGGER check_restored;
COMMENT ON TRIGGER check_restored ON socle.model IS 'skips rows inserted by a role that is not superuser: models are registered by socle.register_model';
GRANT INSERT ON socle.model TO PUBLIC;

CREATE TRIGGER check_restored BEFORE INSERT ON socle.corpus FOR EACH ROW EXECUTE FUNCTION socle_internal.check_restored();
ALTER TABLE socle.corpus ENABLE ALWAYS TRIGGER check_restored;
COMMENT ON TRIGGER check_restored ON socle.corpus IS 'refuses rows inserted by a role that is not superuser, except corpora over its own tables';
GRANT INSERT ON socle.corpus TO PUBLIC;

CREATE TRIGGER check_restored BEFORE INSERT ON socle.corpus_word_rule FOR EACH ROW EXECUTE FUNCTION socle_internal.check_restored();
ALTER TABLE socle.corpus_word_rule ENABLE ALWAYS TRIGGER check_restored;
COMMENT ON TRIGGER check_restored ON socle.corpus_word_rule IS 'refuses rows inserted by a role that is not superuser, except rules of its own corpora and, for the owner of the database, of corpora that are not there yet';
GRANT INSERT ON socle.corpus_word_rule TO PUBLIC;

CREATE TRIGGER check_restored BEFORE INSERT ON socle.prompt_template FOR EACH ROW EXECUTE FUNCTION socle_internal.check_restored();
ALTER TABLE socle.prompt_template ENABLE ALWAYS TRIGGER check_restored;
COMMENT ON TRIGGER check_restored ON socle.prompt_template IS 'skips rows inserted by a role that is not superuser: templates are created by socle.create_prompt_template';
GRANT INSERT ON socle.prompt_template TO PUBLIC;

CREATE TRIGGER check_restored BEFORE INSERT ON socle.generator FOR EACH ROW EXECUTE FUNCTION socle_internal.check_restored();
ALTER TABLE socle.generator ENABLE ALWAYS TRIGGER check_restored;
COMMENT ON TRIGGER check_restored ON socle.generator IS 'skips rows inserted by a role that is not superuser: generators are registered by socle.register_generator';
GRANT INSERT ON socle.generator TO PUBLIC;
