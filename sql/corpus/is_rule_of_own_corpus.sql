-- Whether a role other than a superuser may restore the row $1 of socle.corpus_word_rule: one of its own corpora or, for the
-- owner of the database, of one that is not there, because a parallel restore has not loaded it yet.
SELECT coalesce(
    (SELECT pg_has_role(k.relowner, 'USAGE')
     FROM socle.corpus c
     JOIN pg_namespace n ON n.nspname = c.chunk_schema
     JOIN pg_class k ON k.relnamespace = n.oid AND k.relname = c.chunk_table
     WHERE c.name = r.corpus),
    NOT EXISTS (SELECT FROM socle.corpus c WHERE c.name = r.corpus)
        AND (SELECT pg_has_role(d.datdba, 'USAGE') FROM pg_database d WHERE d.datname = current_database()))
FROM (SELECT ($1).*) AS r
