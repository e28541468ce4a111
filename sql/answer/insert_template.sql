INSERT INTO socle.prompt_template (name, system, question_template, example_context, example_question, example_answer)
VALUES ($1, $2, $3, $4, $5, $6)
