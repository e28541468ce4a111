WITH gone AS (DELETE FROM socle.corpus AS c WHERE c.name OPERATOR(pg_catalog.=) $1),
ruled AS (DELETE FROM socle.corpus_word_rule AS r WHERE r.corpus OPERATOR(pg_catalog.=) $1)
DELETE FROM socle.missed_change AS m WHERE m.corpus OPERATOR(pg_catalog.=) $1
