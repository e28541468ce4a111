-- A new corpus has no rules about words, whatever a restore has left under its name.
WITH ruled AS (DELETE FROM socle.corpus_word_rule WHERE corpus = $1 ->> 'name')
INSERT INTO socle.corpus (name, replaces, source_schema, source_table, key_columns, key_operators, chunk_key_columns,
                          content_columns, content_roles, title_column, language, language_column, template,
                          template_columns, chunk_schema, chunk_table, change_table,
                          document_table, model, model_digest, dimensions, max_tokens, overlap_tokens, format,
                          max_attempts, hnsw_m,
                          hnsw_ef_construction, token_model, token_model_digest, egress, ocr, ocr_model,
                          ocr_model_digest, state)
SELECT name, replaces, source_schema, source_table, key_columns, key_operators, chunk_key_columns, content_columns,
    content_roles, title_column, language,
       language_column, template, template_columns, chunk_schema, chunk_table, change_table, document_table, model,
       model_digest, dimensions, max_tokens, overlap_tokens, format, max_attempts, hnsw_m,
       hnsw_ef_construction, token_model, token_model_digest, egress, ocr, ocr_model, ocr_model_digest, state
FROM jsonb_populate_record(NULL::socle.corpus, $1)
