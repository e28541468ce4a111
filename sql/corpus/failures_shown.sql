SELECT b.failures_shown_at::text FROM socle.corpus_binding b WHERE b.corpus OPERATOR(pg_catalog.=) $1
