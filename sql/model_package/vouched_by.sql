-- Who vouches for package $1.
SELECT k.name FROM socle.model_package AS p
JOIN socle.trusted_key AS k ON k.public_key OPERATOR(pg_catalog.=) p.public_key
WHERE p.sha256 OPERATOR(pg_catalog.=) $1
