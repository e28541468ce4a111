SELECT EXISTS (SELECT FROM socle.prompt_template t WHERE t.name = ($1).name AND t.system = ($1).system
               AND t.question_template = ($1).question_template)
