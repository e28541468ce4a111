SELECT row_to_json(x)::text FROM (
    SELECT c.name, c.replaces, c.source_schema, c.source_table, coalesce(s.relkind = 'p', false) AS partitioned, c.key_columns,
           c.key_operators, c.chunk_key_columns, c.content_columns, c.content_roles, c.title_column, c.language,
           c.language_column, c.template, c.template_columns, c.chunk_schema, c.chunk_table,
           c.change_table, c.document_table, c.model, c.model_digest, c.dimensions, c.max_tokens, c.overlap_tokens, c.format,
           c.max_attempts, c.hnsw_m, c.hnsw_ef_construction, c.token_model, c.token_model_digest, c.egress,
           c.ocr, c.ocr_model, c.ocr_model_digest,
           coalesce(b.keyword_missing_count, 0) AS keyword_missing_count, c.state, c.state_reason,
           coalesce(c.filled_at, c.created_at) AS filled_to, k.oid::bigint AS chunk, l.oid::bigint AS change,
           d.oid::bigint AS document,
           s.oid::bigint AS source, k.relowner::bigint AS owner, b.corpus IS NOT NULL AS bound,
           coalesce(b.key_holds, true) AS key_holds,
           CASE WHEN r.model_digest = c.model_digest THEN r.chunk_table END AS donor,
           CASE WHEN r.token_model_digest = c.token_model_digest THEN r.chunk_table END AS token_donor
    FROM socle.corpus c
    LEFT JOIN socle.corpus r ON r.name = c.replaces
    LEFT JOIN socle.corpus_binding b ON b.corpus = c.name
    LEFT JOIN pg_namespace sn ON sn.nspname = c.source_schema
    LEFT JOIN pg_class s ON s.relnamespace = sn.oid AND s.relname = c.source_table AND s.relkind IN ('r', 'p')
    LEFT JOIN pg_namespace n ON n.nspname = c.chunk_schema
    LEFT JOIN pg_class k ON k.relnamespace = n.oid AND k.relname = c.chunk_table AND k.relkind = 'r'
    LEFT JOIN pg_class l ON l.relnamespace = n.oid AND l.relname = c.change_table AND l.relkind = 'r'
    LEFT JOIN pg_class d ON d.relnamespace = n.oid AND d.relname = c.document_table AND d.relkind = 'r'
    WHERE c.name = $1) AS x
