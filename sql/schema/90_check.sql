-- Raises an error, which undoes the whole install script, where socle could not work.
CREATE FUNCTION socle_internal.check_installation() RETURNS void
LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE COST 100
AS 'MODULE_PATHNAME', 'check_installation_wrapper';
COMMENT ON FUNCTION socle_internal.check_installation IS 'raises an error unless this database is one that socle works in';
SELECT socle_internal.check_installation();

-- Ends each update script.
CREATE FUNCTION socle_internal.after_update() RETURNS void
LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE COST 100 SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'after_update_wrapper';
COMMENT ON FUNCTION socle_internal.after_update IS 'requests a comparison of every corpus with its source: writers may have used a library of another version than the extension';
