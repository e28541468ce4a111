-- Corpora that use model $1, at most ten.
SELECT c.name FROM socle.corpus AS c
WHERE c.model OPERATOR(pg_catalog.=) $1 OR c.token_model OPERATOR(pg_catalog.=) $1 OR c.ocr_model OPERATOR(pg_catalog.=) $1
ORDER BY c.name USING OPERATOR(pg_catalog.<) LIMIT 10
