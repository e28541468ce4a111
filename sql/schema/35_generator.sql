-- Language models on this machine: the registry, text that they write, and the state of the process that holds them.

CREATE TABLE socle.generator (
    name text NOT NULL CONSTRAINT generator_name_check CHECK (name OPERATOR(pg_catalog.<>) ''),
    file text NOT NULL,
    file_bytes bigint NOT NULL CONSTRAINT generator_file_bytes_check CHECK (file_bytes OPERATOR(pg_catalog.>) 0),
    file_sha256 text NOT NULL,
    template text NOT NULL,
    context_tokens integer NOT NULL
        CONSTRAINT generator_context_tokens_check CHECK (context_tokens OPERATOR(pg_catalog.>) 0),
    architecture text NOT NULL,
    parameter_count bigint NOT NULL,
    quantization text NOT NULL,
    license text,
    digest text NOT NULL,
    registered_at timestamp with time zone NOT NULL DEFAULT pg_catalog.now(),
    registered_by name NOT NULL DEFAULT SESSION_USER,
    public_use boolean NOT NULL DEFAULT true,
    package text,
    CONSTRAINT generator_name_key PRIMARY KEY (name)
);
COMMENT ON TABLE socle.generator IS 'registered language models; written by socle.register_generator and socle.drop_generator';
COMMENT ON COLUMN socle.generator.name IS 'name of the generator in arguments and settings';
COMMENT ON COLUMN socle.generator.file IS 'the model in the format GGUF, relative to socle.model_directory';
COMMENT ON COLUMN socle.generator.file_bytes IS 'size of the file in bytes';
COMMENT ON COLUMN socle.generator.file_sha256 IS 'SHA-256 of the file';
COMMENT ON COLUMN socle.generator.template IS 'name of the built-in chat template that makes a prompt of messages; that of the file is never run';
COMMENT ON COLUMN socle.generator.context_tokens IS 'most tokens of prompt and text together';
COMMENT ON COLUMN socle.generator.architecture IS 'family of the model, as its file states';
COMMENT ON COLUMN socle.generator.parameter_count IS 'number of its parameters';
COMMENT ON COLUMN socle.generator.quantization IS 'how they are stored';
COMMENT ON COLUMN socle.generator.license IS 'licence of the weights, as stated at registration, or else by the file';
COMMENT ON COLUMN socle.generator.digest IS 'identity of what it writes: SHA-256 over file, template and context_tokens';
COMMENT ON COLUMN socle.generator.registered_at IS 'time of registration';
COMMENT ON COLUMN socle.generator.registered_by IS 'session user that registered the generator';
COMMENT ON COLUMN socle.generator.public_use IS 'everybody may use the generator; false: those in socle.generator_grant';
COMMENT ON COLUMN socle.generator.package IS 'package that it was imported from, see socle.model_package; NULL: a file of the server';
GRANT SELECT ON socle.generator TO PUBLIC;
SELECT pg_catalog.pg_extension_config_dump('socle.generator', '');

CREATE TABLE socle.generator_grant (
    generator text NOT NULL
        CONSTRAINT generator_grant_generator_fkey REFERENCES socle.generator (name) ON DELETE CASCADE,
    role regrole NOT NULL,
    CONSTRAINT generator_grant_generator_role_key PRIMARY KEY (generator, role)
);
COMMENT ON TABLE socle.generator_grant IS 'who may use generators that are not public; written by socle.grant_generator and socle.revoke_generator; not dumped';
COMMENT ON COLUMN socle.generator_grant.generator IS 'name of the generator';
COMMENT ON COLUMN socle.generator_grant.role IS 'role whose members may use it';
GRANT SELECT ON socle.generator_grant TO PUBLIC;

-- SECURITY DEFINER: a role that is granted EXECUTE can register generators without being able to write the table itself.
CREATE FUNCTION socle.register_generator(
    name text,
    file text,
    template text DEFAULT NULL,
    context_tokens integer DEFAULT NULL,
    license text DEFAULT NULL
) RETURNS TABLE (
    name text, architecture text, parameter_count bigint, quantization text, template text, template_source text,
    context_tokens integer, trained_context_tokens integer, memory_bytes bigint, license text, digest text
)
LANGUAGE c VOLATILE PARALLEL UNSAFE COST 100000 ROWS 1 SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'register_generator_wrapper';
COMMENT ON FUNCTION socle.register_generator IS
    'checks, tries and registers the language model in a GGUF file below socle.model_directory; template and context_tokens override what the file says';

CREATE FUNCTION socle.drop_generator(name text) RETURNS void
LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE COST 100 SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'drop_generator_wrapper';
COMMENT ON FUNCTION socle.drop_generator IS 'removes a generator from the registry; its file stays, unless it was imported';

CREATE FUNCTION socle.grant_generator(name text, role text) RETURNS void
LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE COST 100 SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'grant_generator_wrapper';
COMMENT ON FUNCTION socle.grant_generator IS 'lets the members of a role use a generator; role public: everybody, as for each new generator';

CREATE FUNCTION socle.revoke_generator(name text, role text) RETURNS void
LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE COST 100 SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'revoke_generator_wrapper';
COMMENT ON FUNCTION socle.revoke_generator IS 'takes back what socle.grant_generator gave';

-- Functions that ask the generator. They run as their caller. VOLATILE: a text may differ at each call, and the planner
-- must not write one to estimate a cost. RESTRICTED, not UNSAFE: they change nothing, and parallel workers would only queue
-- behind each other.
CREATE FUNCTION socle.generate(
    prompt text,
    generator text DEFAULT NULL,
    max_tokens integer DEFAULT 256,
    temperature double precision DEFAULT 0,
    seed bigint DEFAULT NULL,
    stop text[] DEFAULT NULL,
    choices text[] DEFAULT NULL,
    json_schema jsonb DEFAULT NULL,
    system text DEFAULT NULL
) RETURNS text
LANGUAGE c VOLATILE PARALLEL RESTRICTED COST 10000000
AS 'MODULE_PATHNAME', 'generate_wrapper';
COMMENT ON FUNCTION socle.generate(text, text, integer, double precision, bigint, text[], text[], jsonb, text) IS
    'the text that a language model writes for a prompt: any, one of several choices, or JSON that a schema describes; with a notice if it was cut off at max_tokens';

CREATE FUNCTION socle.generate(
    messages jsonb,
    generator text DEFAULT NULL,
    max_tokens integer DEFAULT 256,
    temperature double precision DEFAULT 0,
    seed bigint DEFAULT NULL,
    stop text[] DEFAULT NULL,
    choices text[] DEFAULT NULL,
    json_schema jsonb DEFAULT NULL
) RETURNS text
LANGUAGE c VOLATILE PARALLEL RESTRICTED COST 10000000
AS 'MODULE_PATHNAME', 'generate_messages_wrapper';
COMMENT ON FUNCTION socle.generate(jsonb, text, integer, double precision, bigint, text[], text[], jsonb) IS
    'the next message of a conversation: an array of objects with role (system, user or assistant) and content, as socle.prompt() returns it';

CREATE FUNCTION socle.count_generator_tokens(prompt text, generator text DEFAULT NULL) RETURNS integer
LANGUAGE c VOLATILE PARALLEL RESTRICTED COST 10000
AS 'MODULE_PATHNAME', 'count_generator_tokens_wrapper';
COMMENT ON FUNCTION socle.count_generator_tokens(text, text) IS
    'number of tokens of a prompt as socle.generate() sends it to the model, its chat template included';

CREATE FUNCTION socle.count_generator_tokens(messages jsonb, generator text DEFAULT NULL) RETURNS integer
LANGUAGE c VOLATILE PARALLEL RESTRICTED COST 10000
AS 'MODULE_PATHNAME', 'count_generator_tokens_of_messages_wrapper';
COMMENT ON FUNCTION socle.count_generator_tokens(jsonb, text) IS 'the same of a conversation';

-- Visible to all roles: what others do with the generator is only told to members of pg_read_all_stats.
CREATE FUNCTION socle.generator_report() RETURNS jsonb
LANGUAGE c VOLATILE STRICT PARALLEL RESTRICTED COST 1000
AS 'MODULE_PATHNAME', 'generator_report_wrapper';
COMMENT ON FUNCTION socle.generator_report IS 'state of the generator as one JSON object, as shown by socle.generator_status; starts no generator';

CREATE VIEW socle.generator_status AS
SELECT g.name,
       (l.digest IS NOT NULL) AS loaded,
       coalesce(l.memory_bytes, 0) AS memory_bytes,
       pg_catalog.to_timestamp(l.loaded_at) AS loaded_at,
       pg_catalog.to_timestamp(l.used_at) AS used_at,
       p.state,
       p.state_reason,
       p.pid,
       pg_catalog.to_timestamp(p.started_at) AS started_at,
       p.restart_count,
       p.library_version,
       p.thread_count,
       p.memory_bytes AS process_memory_bytes,
       p.memory_limit_bytes,
       p.connection_count,
       p.running AS running_count,
       p.queued AS queued_count,
       p.request_count,
       p.prompt_token_count,
       p.answer_token_count,
       p.tokens_per_second,
       p.first_token_p50_ms,
       p.network,
       p.files,
       p.version,
       g.public_use
FROM (SELECT socle.generator_report() AS report OFFSET 0) AS r
CROSS JOIN LATERAL pg_catalog.jsonb_to_record(r.report) AS p (
    state text, state_reason text, pid integer, started_at double precision, restart_count integer, library_version text,
    thread_count integer, memory_bytes bigint, memory_limit_bytes bigint, generators jsonb, connection_count integer,
    running integer, queued integer, request_count bigint, prompt_token_count bigint, answer_token_count bigint,
    tokens_per_second double precision, first_token_p50_ms double precision, network text, files text, version text)
CROSS JOIN socle.generator AS g
LEFT JOIN LATERAL pg_catalog.jsonb_to_recordset(p.generators) AS l (
    digest text, memory_bytes bigint, loaded_at double precision, used_at double precision)
    ON l.digest OPERATOR(pg_catalog.=) g.digest;
COMMENT ON VIEW socle.generator_status IS 'registered generators, and the process that holds them, which is one for all: its columns are the same in each row';
COMMENT ON COLUMN socle.generator_status.name IS 'name of the generator';
COMMENT ON COLUMN socle.generator_status.loaded IS 'in memory';
COMMENT ON COLUMN socle.generator_status.memory_bytes IS 'memory that its weights and contexts take';
COMMENT ON COLUMN socle.generator_status.loaded_at IS 'time of loading';
COMMENT ON COLUMN socle.generator_status.used_at IS 'last use; the oldest goes first when memory runs short; NULL, like connection_count and the columns with counts and rates after it, for a role without pg_monitor';
COMMENT ON COLUMN socle.generator_status.state IS 'of the process: running, starting, stopped (it starts when it is needed), or unavailable';
COMMENT ON COLUMN socle.generator_status.state_reason IS 'why it is unavailable';
COMMENT ON COLUMN socle.generator_status.pid IS 'its process id';
COMMENT ON COLUMN socle.generator_status.started_at IS 'its start';
COMMENT ON COLUMN socle.generator_status.restart_count IS 'processes before it that died under the same supervisor; ends of idle ones do not count';
COMMENT ON COLUMN socle.generator_status.library_version IS 'version of llama.cpp; NULL until a model was loaded';
COMMENT ON COLUMN socle.generator_status.thread_count IS 'most threads that compute; fewer do where other work takes the processors';
COMMENT ON COLUMN socle.generator_status.process_memory_bytes IS 'resident memory of the process';
COMMENT ON COLUMN socle.generator_status.memory_limit_bytes IS 'socle.generator_memory_limit, which loaded generators stay below';
COMMENT ON COLUMN socle.generator_status.connection_count IS 'sessions connected to it';
COMMENT ON COLUMN socle.generator_status.running_count IS 'requests in progress';
COMMENT ON COLUMN socle.generator_status.queued_count IS 'requests that wait';
COMMENT ON COLUMN socle.generator_status.request_count IS 'requests answered';
COMMENT ON COLUMN socle.generator_status.prompt_token_count IS 'tokens of prompts that were computed; those from its cache are not counted';
COMMENT ON COLUMN socle.generator_status.answer_token_count IS 'tokens written';
COMMENT ON COLUMN socle.generator_status.tokens_per_second IS 'tokens written per second over the last ten seconds';
COMMENT ON COLUMN socle.generator_status.first_token_p50_ms IS 'median time from a request to its first token, of the last 1,000, in milliseconds';
COMMENT ON COLUMN socle.generator_status.network IS 'what keeps the generator off the network';
COMMENT ON COLUMN socle.generator_status.files IS 'what keeps the generator off other files';
COMMENT ON COLUMN socle.generator_status.version IS 'version of the generator, which is that of the library: see socle.version()';
COMMENT ON COLUMN socle.generator_status.public_use IS 'everybody may use it; false: those in socle.generator_grant';
GRANT SELECT ON socle.generator_status TO PUBLIC;
