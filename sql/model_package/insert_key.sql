INSERT INTO socle.trusted_key (name, public_key, key_id) VALUES ($1, $2, $3)
