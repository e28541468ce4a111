SELECT socle.create_corpus(name => $1, source => $2::regclass, content => $3::text[]::name[], document => $4::name,
    media_type => $5::name, file_name => $6::name, title => $7::name, language => $8, language_column => $9::name,
    model => $10, max_tokens => $11, overlap_tokens => $12, format => $13, template => $14, chunk_schema => $15::name,
    hnsw_m => $16, hnsw_ef_construction => $17, token_model => $18,
    max_attempts => $19, ocr => $20)
