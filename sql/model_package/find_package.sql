-- Manifest, signature, and name of the trusted key that vouches for package $1.
SELECT p.manifest, p.signature, k.name
FROM socle.model_package AS p
LEFT JOIN socle.trusted_key AS k ON k.public_key OPERATOR(pg_catalog.=) p.public_key
WHERE p.sha256 OPERATOR(pg_catalog.=) $1
