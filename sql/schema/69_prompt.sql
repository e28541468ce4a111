-- Prompts for language models elsewhere: templates, and the messages that are made from them and from passages.

CREATE TABLE socle.prompt_template (
    name text NOT NULL CONSTRAINT prompt_template_name_check CHECK (name OPERATOR(pg_catalog.<>) ''),
    system text NOT NULL,
    question_template text NOT NULL,
    example_context text,
    example_question text,
    example_answer text,
    created_at timestamp with time zone NOT NULL DEFAULT pg_catalog.now(),
    created_by name NOT NULL DEFAULT SESSION_USER,
    CONSTRAINT prompt_template_example_check
        CHECK (pg_catalog.num_nulls(example_context, example_question, example_answer) OPERATOR(pg_catalog.=) ANY (ARRAY[0, 3])),
    CONSTRAINT prompt_template_name_key PRIMARY KEY (name)
);
COMMENT ON TABLE socle.prompt_template IS 'templates of socle.prompt besides the built-in one; written by socle.create_prompt_template and socle.drop_prompt_template';
COMMENT ON COLUMN socle.prompt_template.name IS 'name of the template in arguments';
COMMENT ON COLUMN socle.prompt_template.system IS 'instructions: the first message';
COMMENT ON COLUMN socle.prompt_template.question_template IS 'message with {context} and {question}';
COMMENT ON COLUMN socle.prompt_template.example_context IS 'passages of the worked example; NULL: there is no example';
COMMENT ON COLUMN socle.prompt_template.example_question IS 'question of the worked example';
COMMENT ON COLUMN socle.prompt_template.example_answer IS 'answer of the worked example';
COMMENT ON COLUMN socle.prompt_template.created_at IS 'time of creation';
COMMENT ON COLUMN socle.prompt_template.created_by IS 'session user that created the template';
GRANT SELECT ON socle.prompt_template TO PUBLIC;
SELECT pg_catalog.pg_extension_config_dump('socle.prompt_template', '');

-- SECURITY DEFINER: a role that is granted EXECUTE can create templates without being able to write the table itself.
CREATE FUNCTION socle.create_prompt_template(
    name text,
    system text,
    question_template text DEFAULT E'{context}\n\n{question}',
    example_context text DEFAULT NULL,
    example_question text DEFAULT NULL,
    example_answer text DEFAULT NULL
) RETURNS void
LANGUAGE c VOLATILE PARALLEL UNSAFE COST 100 SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'create_prompt_template_wrapper';
COMMENT ON FUNCTION socle.create_prompt_template IS
    'creates a template of socle.prompt: instructions, the message with {context} and {question}, and a worked example';

CREATE FUNCTION socle.drop_prompt_template(name text) RETURNS void
LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE COST 100 SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'drop_prompt_template_wrapper';
COMMENT ON FUNCTION socle.drop_prompt_template IS 'drops a template of socle.prompt';

CREATE FUNCTION socle.prompt(
    corpus text,
    question text,
    template text DEFAULT NULL,
    max_tokens integer DEFAULT 2000,
    passage_order text DEFAULT 'relevance',
    token_model text DEFAULT NULL,
    mode text DEFAULT 'hybrid',
    filter jsonb DEFAULT NULL,
    rerank_model text DEFAULT NULL,
    rerank_count integer DEFAULT 20,
    neighbours integer DEFAULT 0,
    language text DEFAULT NULL,
    query_syntax text DEFAULT 'natural',
    min_similarity double precision DEFAULT NULL,
    min_rerank double precision DEFAULT NULL,
    boost jsonb DEFAULT NULL,
    vector_optional boolean DEFAULT false,
    passage_limit integer DEFAULT 20,
    conversation jsonb DEFAULT NULL
) RETURNS jsonb
LANGUAGE c STABLE PARALLEL RESTRICTED COST 1000000 SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'prompt_wrapper';
COMMENT ON FUNCTION socle.prompt IS
    'the messages for a language model that is to answer a question from a corpus, as jsonb: instructions, a worked example, passages and question; NULL if nothing is found';

CREATE FUNCTION socle.prompt(
    corpora text[],
    question text,
    template text DEFAULT NULL,
    max_tokens integer DEFAULT 2000,
    passage_order text DEFAULT 'relevance',
    token_model text DEFAULT NULL,
    mode text DEFAULT 'hybrid',
    filter jsonb DEFAULT NULL,
    rerank_model text DEFAULT NULL,
    rerank_count integer DEFAULT 20,
    neighbours integer DEFAULT 0,
    language text DEFAULT NULL,
    query_syntax text DEFAULT 'natural',
    min_similarity double precision DEFAULT NULL,
    min_rerank double precision DEFAULT NULL,
    boost jsonb DEFAULT NULL,
    vector_optional boolean DEFAULT false,
    passage_limit integer DEFAULT 20,
    conversation jsonb DEFAULT NULL
) RETURNS jsonb
LANGUAGE c STABLE PARALLEL RESTRICTED COST 1000000 SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'prompt_many_wrapper';
COMMENT ON FUNCTION socle.prompt(text[], text, text, integer, text, text, text, jsonb, text, integer, integer, text, text, double precision, double precision, jsonb, boolean, integer, jsonb) IS
    'the same from several corpora';
