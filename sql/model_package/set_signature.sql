-- A signature that was verified is not replaced by one that was not.
UPDATE socle.model_package AS p SET signature = $2, public_key = $3
WHERE p.sha256 OPERATOR(pg_catalog.=) $1 AND ($3 IS NOT NULL OR p.public_key IS NULL)
