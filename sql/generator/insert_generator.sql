INSERT INTO socle.generator (name, file, file_bytes, file_sha256, template, context_tokens, architecture, parameter_count,
                             quantization, license, digest)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
