UPDATE socle.corpus_binding AS b SET key_holds = $2 WHERE b.corpus OPERATOR(pg_catalog.=) $1
