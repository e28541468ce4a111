INSERT INTO socle.model (name, kind, dimensions, max_tokens, pooling, normalized, query_prefix, passage_prefix, license,
                         directory, files, output_name, pad_id, batchable, digest, similarity, pool_prefix, lower_case,
                         first_position, layers, late_interaction, endpoint, served, missing_letters)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24)
