DELETE FROM socle.prompt_template AS t WHERE t.name OPERATOR(pg_catalog.=) $1
