-- Who may call what: everybody everything, for each function checks the rights of its caller itself, except what is for
-- superusers and what socle alone calls. Comes last, because it covers what stands before it. Default privileges of the
-- installing role have no effect here.
GRANT EXECUTE ON ALL ROUTINES IN SCHEMA socle, socle_internal TO PUBLIC;

REVOKE ALL ON FUNCTION socle.register_model FROM PUBLIC;
REVOKE ALL ON FUNCTION socle.drop_model FROM PUBLIC;
REVOKE ALL ON FUNCTION socle.export_model FROM PUBLIC;
REVOKE ALL ON FUNCTION socle.import_model(text, bytea, text) FROM PUBLIC;
REVOKE ALL ON FUNCTION socle.import_model(text, oid, text) FROM PUBLIC;
REVOKE ALL ON FUNCTION socle.trust_key FROM PUBLIC;
REVOKE ALL ON FUNCTION socle.distrust_key FROM PUBLIC;
REVOKE ALL ON FUNCTION socle.grant_model FROM PUBLIC;
REVOKE ALL ON FUNCTION socle.revoke_model FROM PUBLIC;
REVOKE ALL ON FUNCTION socle.register_generator FROM PUBLIC;
REVOKE ALL ON FUNCTION socle.drop_generator FROM PUBLIC;
REVOKE ALL ON FUNCTION socle.grant_generator FROM PUBLIC;
REVOKE ALL ON FUNCTION socle.revoke_generator FROM PUBLIC;
REVOKE ALL ON FUNCTION socle.register_endpoint FROM PUBLIC;
REVOKE ALL ON FUNCTION socle.register_endpoint_model FROM PUBLIC;
REVOKE ALL ON FUNCTION socle.drop_endpoint FROM PUBLIC;
REVOKE ALL ON FUNCTION socle.grant_endpoint FROM PUBLIC;
REVOKE ALL ON FUNCTION socle.revoke_endpoint FROM PUBLIC;
REVOKE ALL ON FUNCTION socle.verify_ledger FROM PUBLIC;
REVOKE ALL ON FUNCTION socle.ledger_checkpoint FROM PUBLIC;
REVOKE ALL ON FUNCTION socle.prune_ledger FROM PUBLIC;
REVOKE ALL ON FUNCTION socle.create_prompt_template FROM PUBLIC;
REVOKE ALL ON FUNCTION socle.drop_prompt_template FROM PUBLIC;
REVOKE ALL ON PROCEDURE socle.import_directory FROM PUBLIC;
GRANT EXECUTE ON PROCEDURE socle.import_directory TO pg_read_server_files;
REVOKE ALL ON FUNCTION socle.export_corpus FROM PUBLIC;
GRANT EXECUTE ON FUNCTION socle.export_corpus TO pg_write_server_files;
REVOKE ALL ON FUNCTION socle.import_corpus FROM PUBLIC;
GRANT EXECUTE ON FUNCTION socle.import_corpus TO pg_read_server_files;
REVOKE ALL ON FUNCTION socle.import_evaluation_set FROM PUBLIC;
GRANT EXECUTE ON FUNCTION socle.import_evaluation_set TO pg_read_server_files;

REVOKE ALL ON FUNCTION socle_internal.follow_ddl FROM PUBLIC;
REVOKE ALL ON FUNCTION socle_internal.follow_drop FROM PUBLIC;
REVOKE ALL ON FUNCTION socle_internal.prepare_ddl FROM PUBLIC;
REVOKE ALL ON FUNCTION socle_internal.column_numbers FROM PUBLIC;
REVOKE ALL ON FUNCTION socle_internal.column_names FROM PUBLIC;
REVOKE ALL ON FUNCTION socle_internal.column_types FROM PUBLIC;
REVOKE ALL ON FUNCTION socle_internal.ancestors FROM PUBLIC;
REVOKE ALL ON FUNCTION socle_internal.check_restored FROM PUBLIC;
REVOKE ALL ON FUNCTION socle_internal.check_installation FROM PUBLIC;
REVOKE ALL ON FUNCTION socle_internal.after_update FROM PUBLIC;
