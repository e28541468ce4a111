SELECT k.name, k.public_key FROM socle.trusted_key AS k
