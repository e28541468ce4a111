-- Makes corpus $1 what corpus $2 is, under its own names.
WITH new AS (DELETE FROM socle.corpus WHERE name = $2 RETURNING *)
UPDATE socle.corpus AS c
SET key_columns = n.key_columns, key_operators = n.key_operators, title_column = n.title_column,
    language = n.language, language_column = n.language_column, template = n.template,
    template_columns = n.template_columns, model = n.model,
    model_digest = n.model_digest, dimensions = n.dimensions, max_tokens = n.max_tokens, overlap_tokens = n.overlap_tokens,
    format = n.format, hnsw_m = n.hnsw_m, hnsw_ef_construction = n.hnsw_ef_construction,
    token_model = n.token_model, token_model_digest = n.token_model_digest,
    ocr = n.ocr, ocr_model = n.ocr_model, ocr_model_digest = n.ocr_model_digest,
    chunk_key_columns = n.chunk_key_columns, filled_at = n.filled_at,
    state = CASE WHEN c.state = 'paused' THEN c.state ELSE n.state END,
    state_reason = CASE WHEN c.state = 'paused' THEN c.state_reason END
FROM new n WHERE c.name = $1
