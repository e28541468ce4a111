-- Endpoints: servers that text of this database may be sent to. There is none unless a superuser registers it, nobody uses one
-- without a grant, and no corpus is sent to one that its owner has not allowed.
--
-- Not dumped, unlike models and generators: a dump that is restored elsewhere opens no door there. No key is in any table.

CREATE TABLE socle.endpoint (
    name text NOT NULL CONSTRAINT endpoint_name_check CHECK (name OPERATOR(pg_catalog.<>) ''),
    url text NOT NULL,
    dialect text NOT NULL
        CONSTRAINT endpoint_dialect_check
        CHECK (dialect OPERATOR(pg_catalog.=) ANY (ARRAY['openai', 'openai_legacy', 'mistral', 'gemini', 'azure', 'anthropic', 'tei'])),
    model text NOT NULL,
    key_file text,
    ca_file text,
    allow_loopback boolean NOT NULL,
    allow_private boolean NOT NULL,
    timeout_seconds integer NOT NULL
        CONSTRAINT endpoint_timeout_seconds_check CHECK (timeout_seconds OPERATOR(pg_catalog.>) 0),
    max_response_bytes bigint NOT NULL
        CONSTRAINT endpoint_max_response_bytes_check CHECK (max_response_bytes OPERATOR(pg_catalog.>) 0),
    context_tokens integer NOT NULL
        CONSTRAINT endpoint_context_tokens_check CHECK (context_tokens OPERATOR(pg_catalog.>) 0),
    extra_body jsonb,
    registered_at timestamp with time zone NOT NULL DEFAULT pg_catalog.now(),
    registered_by name NOT NULL DEFAULT SESSION_USER,
    CONSTRAINT endpoint_name_key PRIMARY KEY (name)
);
COMMENT ON TABLE socle.endpoint IS 'servers that text may be sent to; written by socle.register_endpoint and socle.drop_endpoint; not dumped';
COMMENT ON COLUMN socle.endpoint.name IS 'name of the endpoint where functions take that of a generator; no generator has it';
COMMENT ON COLUMN socle.endpoint.url IS 'base URL, to which the dialect adds its path';
COMMENT ON COLUMN socle.endpoint.dialect IS 'how requests and answers are written';
COMMENT ON COLUMN socle.endpoint.model IS 'name of the model, as the server knows it';
COMMENT ON COLUMN socle.endpoint.key_file IS 'name of the file in socle.egress_key_directory with the key; the key itself is in no table';
COMMENT ON COLUMN socle.endpoint.ca_file IS 'name of the file there with the certificate authorities that are trusted; NULL: those of the machine';
COMMENT ON COLUMN socle.endpoint.allow_loopback IS 'the server may be on this machine';
COMMENT ON COLUMN socle.endpoint.allow_private IS 'the server may be in a private network';
COMMENT ON COLUMN socle.endpoint.timeout_seconds IS 'longest time from the connection to the end of the answer';
COMMENT ON COLUMN socle.endpoint.max_response_bytes IS 'most bytes of an answer';
COMMENT ON COLUMN socle.endpoint.context_tokens IS 'most tokens of prompt and text together, by estimate';
COMMENT ON COLUMN socle.endpoint.extra_body IS 'further fields of requests; those that are null are left out of them';
COMMENT ON COLUMN socle.endpoint.registered_at IS 'time of registration';
COMMENT ON COLUMN socle.endpoint.registered_by IS 'session user that registered the endpoint';
GRANT SELECT ON socle.endpoint TO PUBLIC;

CREATE TABLE socle.endpoint_grant (
    endpoint text NOT NULL CONSTRAINT endpoint_grant_endpoint_fkey REFERENCES socle.endpoint (name) ON DELETE CASCADE,
    role regrole NOT NULL,
    CONSTRAINT endpoint_grant_endpoint_role_key PRIMARY KEY (endpoint, role)
);
COMMENT ON TABLE socle.endpoint_grant IS 'who may use endpoints, besides superusers; written by socle.grant_endpoint and socle.revoke_endpoint';
COMMENT ON COLUMN socle.endpoint_grant.endpoint IS 'name of the endpoint';
COMMENT ON COLUMN socle.endpoint_grant.role IS 'role whose members may use it; -: everybody';
GRANT SELECT ON socle.endpoint_grant TO PUBLIC;

-- They run as their caller, who has to be a superuser: a grant of EXECUTE opens no door.
CREATE FUNCTION socle.register_endpoint(
    name text,
    url text,
    dialect text,
    model text,
    key_file text DEFAULT NULL,
    ca_file text DEFAULT NULL,
    allow_loopback boolean DEFAULT false,
    allow_private boolean DEFAULT false,
    timeout_seconds integer DEFAULT 120,
    max_response_bytes bigint DEFAULT 4194304,
    context_tokens integer DEFAULT 8192,
    extra_body jsonb DEFAULT NULL
) RETURNS void
LANGUAGE c VOLATILE PARALLEL UNSAFE COST 100 SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'register_endpoint_wrapper';
COMMENT ON FUNCTION socle.register_endpoint IS
    'registers a server that text may be sent to by those who are granted it, for corpora that allow it; sends nothing';

-- A superuser has to call it, as what is embedded leaves the server.
CREATE FUNCTION socle.register_endpoint_model(
    name text,
    endpoint text,
    kind text DEFAULT 'embedding',
    model text DEFAULT NULL,
    max_tokens integer DEFAULT NULL,
    query_prefix text DEFAULT NULL,
    passage_prefix text DEFAULT NULL,
    tokenizer text DEFAULT NULL,
    license text DEFAULT NULL
) RETURNS TABLE (
    name text, kind text, dimensions integer, max_tokens integer, pooling text, normalized boolean, batchable boolean,
    digest text, query_prefix text, passage_prefix text, similarity text
)
LANGUAGE c VOLATILE PARALLEL UNSAFE COST 100000 ROWS 1 SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'register_endpoint_model_wrapper';
COMMENT ON FUNCTION socle.register_endpoint_model IS
    'registers a model that runs on an endpoint, for embedding or reranking; sends the server a text that is always the same, and keeps what it makes of it';

CREATE FUNCTION socle.drop_endpoint(name text) RETURNS void
LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE COST 100 SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'drop_endpoint_wrapper';
COMMENT ON FUNCTION socle.drop_endpoint IS 'removes an endpoint, its grants, and its name from all corpora that allow it';

CREATE FUNCTION socle.grant_endpoint(name text, role text) RETURNS void
LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE COST 100 SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'grant_endpoint_wrapper';
COMMENT ON FUNCTION socle.grant_endpoint IS 'lets the members of a role use an endpoint; role public: everybody';

CREATE FUNCTION socle.revoke_endpoint(name text, role text) RETURNS void
LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE COST 100 SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'revoke_endpoint_wrapper';
COMMENT ON FUNCTION socle.revoke_endpoint IS 'takes back what socle.grant_endpoint gave';

-- Visible to all roles, counts to members of pg_read_all_stats; nothing of what was sent.
CREATE FUNCTION socle.endpoint_report() RETURNS jsonb
LANGUAGE c VOLATILE STRICT PARALLEL RESTRICTED COST 1000
AS 'MODULE_PATHNAME', 'endpoint_report_wrapper';
COMMENT ON FUNCTION socle.endpoint_report IS 'state of the egress process as one JSON object, as shown by socle.endpoint_status; starts none';

CREATE VIEW socle.endpoint_status AS
SELECT e.name,
       CASE WHEN p.endpoints IS NOT NULL THEN coalesce(u.request_count, 0) END AS request_count,
       CASE WHEN p.endpoints IS NOT NULL THEN coalesce(u.failure_count, 0) END AS failure_count,
       CASE WHEN p.endpoints IS NOT NULL THEN coalesce(u.refusal_count, 0) END AS refusal_count,
       CASE WHEN p.endpoints IS NOT NULL THEN coalesce(u.sent_bytes, 0) END AS sent_bytes,
       CASE WHEN p.endpoints IS NOT NULL THEN coalesce(u.received_bytes, 0) END AS received_bytes,
       pg_catalog.to_timestamp(u.used_at) AS used_at,
       p.state,
       p.state_reason,
       p.pid,
       pg_catalog.to_timestamp(p.started_at) AS started_at,
       p.restart_count,
       p.running AS running_count,
       p.network,
       p.files,
       p.version
FROM (SELECT socle.endpoint_report() AS report OFFSET 0) AS r
CROSS JOIN LATERAL pg_catalog.jsonb_to_record(r.report) AS p (
    state text, state_reason text, pid integer, started_at double precision, restart_count integer, running integer,
    endpoints jsonb, network text, files text, version text)
CROSS JOIN socle.endpoint AS e
LEFT JOIN LATERAL pg_catalog.jsonb_to_recordset(p.endpoints) AS u (
    name text, request_count bigint, failure_count bigint, refusal_count bigint, sent_bytes bigint, received_bytes bigint,
    used_at double precision)
    ON u.name OPERATOR(pg_catalog.=) e.name;
COMMENT ON VIEW socle.endpoint_status IS 'registered endpoints, and the process that connects to them, which is one for all and all databases: its columns are the same in each row';
COMMENT ON COLUMN socle.endpoint_status.name IS 'name of the endpoint';
COMMENT ON COLUMN socle.endpoint_status.request_count IS 'requests that may have left since the process started, of all endpoints of this name in all databases; NULL, like the columns to used_at and running_count, for a role without pg_monitor';
COMMENT ON COLUMN socle.endpoint_status.failure_count IS 'those of them that failed or were cancelled';
COMMENT ON COLUMN socle.endpoint_status.refusal_count IS 'requests that were refused before anything left';
COMMENT ON COLUMN socle.endpoint_status.sent_bytes IS 'bytes of the bodies of requests';
COMMENT ON COLUMN socle.endpoint_status.received_bytes IS 'bytes of the bodies of answers';
COMMENT ON COLUMN socle.endpoint_status.used_at IS 'last use';
COMMENT ON COLUMN socle.endpoint_status.state IS 'of the process: running, starting, stopped (it starts when it is needed), or unavailable';
COMMENT ON COLUMN socle.endpoint_status.state_reason IS 'why it is unavailable';
COMMENT ON COLUMN socle.endpoint_status.pid IS 'its process id';
COMMENT ON COLUMN socle.endpoint_status.started_at IS 'its start';
COMMENT ON COLUMN socle.endpoint_status.restart_count IS 'processes before it that died under the same supervisor; ends of idle ones do not count';
COMMENT ON COLUMN socle.endpoint_status.running_count IS 'requests in progress';
COMMENT ON COLUMN socle.endpoint_status.network IS 'what the kernel lets it connect to';
COMMENT ON COLUMN socle.endpoint_status.files IS 'what the kernel lets it read';
COMMENT ON COLUMN socle.endpoint_status.version IS 'version of the process, which is that of the library: see socle.version()';
GRANT SELECT ON socle.endpoint_status TO PUBLIC;
