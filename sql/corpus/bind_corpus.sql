-- Binds a corpus: records its relations and columns, given by name, as OIDs and column numbers.
INSERT INTO socle.corpus_binding AS b (corpus, source, chunk, change, document, key_numbers, content_numbers, title_number,
                                       language_number, template_numbers)
SELECT c.name, s.oid, k.oid, l.oid, d.oid, n.key, n.content, n.title, n.language, n.template
FROM socle.corpus c
JOIN pg_namespace sn ON sn.nspname = c.source_schema
JOIN pg_class s ON s.relnamespace = sn.oid AND s.relname = c.source_table
JOIN pg_namespace cn ON cn.nspname = c.chunk_schema
JOIN pg_class k ON k.relnamespace = cn.oid AND k.relname = c.chunk_table
JOIN pg_class l ON l.relnamespace = cn.oid AND l.relname = c.change_table
JOIN pg_class d ON d.relnamespace = cn.oid AND d.relname = c.document_table
CROSS JOIN LATERAL (
    SELECT socle_internal.column_numbers(s.oid, c.key_columns) AS key, socle_internal.column_numbers(s.oid, c.content_columns) AS content,
           (socle_internal.column_numbers(s.oid, ARRAY[c.title_column]))[1] AS title,
           (socle_internal.column_numbers(s.oid, ARRAY[c.language_column]))[1] AS language,
           socle_internal.column_numbers(s.oid, c.template_columns) AS template) AS n
WHERE c.name = $1
ON CONFLICT (corpus) DO UPDATE
SET source = excluded.source, chunk = excluded.chunk, change = excluded.change, document = excluded.document,
    key_numbers = excluded.key_numbers, content_numbers = excluded.content_numbers,
    title_number = excluded.title_number, language_number = excluded.language_number,
    template_numbers = excluded.template_numbers
RETURNING b.corpus
