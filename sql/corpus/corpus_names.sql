SELECT c.name FROM socle.corpus c ORDER BY c.name
