-- All packages with a signature.
SELECT p.sha256, p.manifest, p.signature FROM socle.model_package AS p WHERE p.signature IS NOT NULL
