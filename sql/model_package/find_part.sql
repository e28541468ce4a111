SELECT p.bytes FROM socle.model_package_part AS p
WHERE p.package OPERATOR(pg_catalog.=) $1 AND p.file_number OPERATOR(pg_catalog.=) $2 AND p.part_number OPERATOR(pg_catalog.=) $3
