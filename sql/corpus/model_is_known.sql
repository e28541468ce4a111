SELECT EXISTS (SELECT FROM socle.model m WHERE m.name = ($1).name AND m.digest = ($1).digest)
