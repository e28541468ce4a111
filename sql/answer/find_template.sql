SELECT t.system, t.question_template, t.example_context, t.example_question, t.example_answer
FROM socle.prompt_template t WHERE t.name OPERATOR(pg_catalog.=) $1
