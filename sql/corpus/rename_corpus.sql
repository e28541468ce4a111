UPDATE socle.corpus AS c
SET source_schema = r.source_schema, source_table = r.source_table, chunk_schema = r.chunk_schema, chunk_table = r.chunk_table,
    change_table = r.change_table, document_table = r.document_table, key_columns = r.key_columns,
    content_columns = r.content_columns, title_column = r.title_column, language_column = r.language_column,
    template = r.template,
    template_columns = r.template_columns
FROM jsonb_populate_record(NULL::socle.corpus, $1) AS r
WHERE c.name = r.name
