INSERT INTO socle.endpoint (name, url, dialect, model, key_file, ca_file, allow_loopback, allow_private, timeout_seconds,
                            max_response_bytes, context_tokens, extra_body)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12::pg_catalog.jsonb)
