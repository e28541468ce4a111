-- The packages in this database, and the databases of this cluster.
SELECT p.sha256 FROM socle.model_package AS p
