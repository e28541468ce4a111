SELECT b.accepted_failure_count FROM socle.corpus_binding b WHERE b.corpus OPERATOR(pg_catalog.=) $1
