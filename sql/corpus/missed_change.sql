-- Records that changes of a corpus could not be logged, and that it has to be resynced.
INSERT INTO socle.missed_change AS m (corpus) SELECT c.name FROM socle.corpus c WHERE c.name OPERATOR(pg_catalog.=) $1
