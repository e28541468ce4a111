CREATE FUNCTION {function} ({arguments}) RETURNS TABLE ({columns})
LANGUAGE sql STABLE PARALLEL RESTRICTED COST 1000000 ROWS 10 SET search_path = pg_catalog, pg_temp
AS {body}
