-- Whether a corpus has relations or columns whose names differ from its row: see renamed_corpora.sql, which takes
-- longer to plan than most commands take.
SELECT EXISTS (
    SELECT FROM socle.corpus c
    JOIN socle.corpus_binding b ON b.corpus = c.name
    WHERE EXISTS (
            SELECT FROM (VALUES (b.source, c.source_schema, c.source_table), (b.chunk, c.chunk_schema, c.chunk_table),
                                (b.change, NULL, c.change_table),
                                (b.document, NULL, c.document_table)) AS n (relation, schema, name)
            JOIN pg_class r ON r.oid = n.relation JOIN pg_namespace s ON s.oid = r.relnamespace
            WHERE (s.nspname, r.relname) <> (n.schema, n.name))
       OR EXISTS (
            SELECT FROM unnest(b.key_numbers || b.content_numbers || b.template_numbers || b.title_number || b.language_number,
                               c.key_columns || c.content_columns || c.template_columns || c.title_column || c.language_column)
                AS n (number, name)
            JOIN pg_attribute a ON a.attrelid = b.source AND a.attnum = n.number
            WHERE a.attname <> n.name AND NOT a.attisdropped))
