SELECT EXISTS (SELECT FROM socle.generator g WHERE g.name = ($1).name AND g.digest = ($1).digest)
