UPDATE socle.corpus_binding AS b SET accepted_failure_count = $2 WHERE b.corpus OPERATOR(pg_catalog.=) $1
