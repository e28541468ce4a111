SELECT c.name FROM socle.corpus c WHERE c.replaces = $1
