-- Ends the install script: raises an error, and so undoes everything, where socle could not work.
CREATE FUNCTION socle._check_installation() RETURNS void
LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE COST 100
AS 'MODULE_PATHNAME', 'check_installation_wrapper';
COMMENT ON FUNCTION socle._check_installation() IS 'raises an error unless this database is one that socle works in';
REVOKE ALL ON FUNCTION socle._check_installation() FROM PUBLIC;
SELECT socle._check_installation();

-- Ends each update script.
CREATE FUNCTION socle._after_update() RETURNS void
LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE COST 100 SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'after_update_wrapper';
COMMENT ON FUNCTION socle._after_update() IS 'has every corpus compared with its source: writers may have met a library of another version than the extension';
REVOKE ALL ON FUNCTION socle._after_update() FROM PUBLIC;
