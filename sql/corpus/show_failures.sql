UPDATE socle.corpus_binding AS b SET failures_shown_at = $2::timestamptz WHERE b.corpus OPERATOR(pg_catalog.=) $1
