-- Corpora whose relations or columns have other names than their rows say. Those that lack a column keep their names.
SELECT row_to_json(x)::text FROM (
    SELECT c.name, c.template, c.template_columns AS old_columns,
           sn.nspname AS source_schema, s.relname AS source_table, kn.nspname AS chunk_schema, k.relname AS chunk_table,
           l.relname AS change_table, d.relname AS document_table,
           coalesce(key.names, c.key_columns) AS key_columns, coalesce(content.names, c.content_columns) AS content_columns,
           coalesce(title.names[1], c.title_column) AS title_column,
           coalesce(language.names[1], c.language_column) AS language_column,
           coalesce(template.names, c.template_columns) AS template_columns
    FROM socle.corpus c
    JOIN socle.corpus_binding b ON b.corpus = c.name
    JOIN pg_class s ON s.oid = b.source JOIN pg_namespace sn ON sn.oid = s.relnamespace
    JOIN pg_class k ON k.oid = b.chunk JOIN pg_namespace kn ON kn.oid = k.relnamespace
    JOIN pg_class l ON l.oid = b.change
    JOIN pg_class d ON d.oid = b.document
    CROSS JOIN LATERAL socle_internal.column_names(b.source, b.key_numbers) AS key (names)
    CROSS JOIN LATERAL socle_internal.column_names(b.source, b.content_numbers) AS content (names)
    CROSS JOIN LATERAL socle_internal.column_names(b.source, ARRAY[b.title_number]) AS title (names)
    CROSS JOIN LATERAL socle_internal.column_names(b.source, ARRAY[b.language_number]) AS language (names)
    CROSS JOIN LATERAL socle_internal.column_names(b.source, b.template_numbers) AS template (names)) AS x
JOIN socle.corpus c USING (name)
WHERE (x.source_schema, x.source_table, x.chunk_schema, x.chunk_table, x.change_table, x.document_table, x.key_columns,
       x.content_columns, x.template_columns)
      IS DISTINCT FROM (c.source_schema, c.source_table, c.chunk_schema, c.chunk_table, c.change_table, c.document_table,
                        c.key_columns, c.content_columns, c.template_columns)
   OR (x.title_column, x.language_column) IS DISTINCT FROM (c.title_column, c.language_column)
