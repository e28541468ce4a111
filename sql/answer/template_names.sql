SELECT t.name FROM socle.prompt_template t ORDER BY 1
