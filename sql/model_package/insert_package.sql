INSERT INTO socle.model_package (sha256, manifest) VALUES ($1, $2) ON CONFLICT DO NOTHING RETURNING true
