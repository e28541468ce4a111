-- The state of the engine. Visible to all roles: nothing here depends on data.

CREATE FUNCTION socle.version() RETURNS text
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 1
AS 'MODULE_PATHNAME', 'version_wrapper';
COMMENT ON FUNCTION socle.version IS 'version of the library that is loaded';

CREATE FUNCTION socle.engine_report() RETURNS jsonb
LANGUAGE c VOLATILE STRICT PARALLEL RESTRICTED COST 1000
AS 'MODULE_PATHNAME', 'engine_report_wrapper';
COMMENT ON FUNCTION socle.engine_report IS 'state of the engine as one JSON object, as shown by the status views; starts no engine';

CREATE VIEW socle.engine_status AS
SELECT e.state,
       e.pid,
       pg_catalog.to_timestamp(e.started_at) AS started_at,
       e.restart_count,
       e.onnxruntime_version,
       e.thread_count,
       e.memory_bytes,
       e.memory_limit_bytes,
       pg_catalog.jsonb_array_length(e.models) AS model_count,
       e.connection_count,
       e.interactive_queue,
       e.bulk_queue,
       e.request_count,
       e.batch_count,
       e.text_count,
       e.token_count,
       e.tokens_per_second,
       e.latency_p50_ms,
       e.latency_p95_ms,
       e.network,
       e.files,
       e.version,
       e.state_reason,
       e.oom_policy
FROM pg_catalog.jsonb_to_record(socle.engine_report()) AS e (
    state text, pid integer, started_at double precision, restart_count integer, onnxruntime_version text,
    thread_count integer, memory_bytes bigint, memory_limit_bytes bigint, models jsonb, connection_count integer,
    interactive_queue integer, bulk_queue integer, request_count bigint, batch_count bigint, text_count bigint,
    token_count bigint, tokens_per_second double precision, latency_p50_ms double precision,
    latency_p95_ms double precision, network text, files text, version text, state_reason text,
    oom_policy text);
COMMENT ON VIEW socle.engine_status IS 'the engine of this cluster: one row, whether it runs or not';
COMMENT ON COLUMN socle.engine_status.state IS 'running, starting, stopped (it starts when it is needed), or unavailable';
COMMENT ON COLUMN socle.engine_status.pid IS 'process id of the engine';
COMMENT ON COLUMN socle.engine_status.started_at IS 'start of this engine';
COMMENT ON COLUMN socle.engine_status.restart_count IS 'engines before this one under the same supervisor';
COMMENT ON COLUMN socle.engine_status.onnxruntime_version IS 'version of ONNX Runtime; NULL until a model was loaded';
COMMENT ON COLUMN socle.engine_status.thread_count IS 'computing threads of each lane';
COMMENT ON COLUMN socle.engine_status.memory_bytes IS 'resident memory of the engine';
COMMENT ON COLUMN socle.engine_status.memory_limit_bytes IS 'socle.engine_memory_limit, which loaded models stay below';
COMMENT ON COLUMN socle.engine_status.model_count IS 'models in memory';
COMMENT ON COLUMN socle.engine_status.connection_count IS 'sessions connected to the engine';
COMMENT ON COLUMN socle.engine_status.interactive_queue IS 'requests waiting or running in the interactive lane';
COMMENT ON COLUMN socle.engine_status.bulk_queue IS 'requests waiting or running in the bulk lane';
COMMENT ON COLUMN socle.engine_status.request_count IS 'requests answered';
COMMENT ON COLUMN socle.engine_status.batch_count IS 'runs of models';
COMMENT ON COLUMN socle.engine_status.text_count IS 'texts and pairs run';
COMMENT ON COLUMN socle.engine_status.token_count IS 'tokens run, padding not counted';
COMMENT ON COLUMN socle.engine_status.tokens_per_second IS 'tokens per second over the last ten seconds';
COMMENT ON COLUMN socle.engine_status.latency_p50_ms IS 'median latency of the last 1,000 interactive requests, in milliseconds';
COMMENT ON COLUMN socle.engine_status.latency_p95_ms IS '95th percentile of the same';
COMMENT ON COLUMN socle.engine_status.network IS 'what keeps the engine off the network';
COMMENT ON COLUMN socle.engine_status.files IS 'what keeps the engine off other files';
COMMENT ON COLUMN socle.engine_status.version IS 'version of the engine, which is that of the library: see socle.version()';
COMMENT ON COLUMN socle.engine_status.state_reason IS 'why the engine is unavailable';
COMMENT ON COLUMN socle.engine_status.oom_policy IS 'what systemd does to the whole service when the kernel kills the engine for want of memory: continue, stop or kill; none outside of a service; unknown where no unit file tells';
GRANT SELECT ON socle.engine_status TO PUBLIC;

CREATE VIEW socle.model_status AS
SELECT m.name,
       m.kind,
       m.dimensions,
       m.max_tokens,
       m.license,
       m.digest,
       m.registered_at,
       (l.digest IS NOT NULL) AS loaded,
       coalesce(l.memory_bytes, 0) AS memory_bytes,
       pg_catalog.to_timestamp(l.loaded_at) AS loaded_at,
       pg_catalog.to_timestamp(l.used_at) AS used_at,
       coalesce(l.text_count, 0) AS text_count,
       m.public_use,
       m.package,
       k.name AS vouched_by,
       m.endpoint
FROM socle.model AS m
LEFT JOIN socle.model_package AS p ON p.sha256 OPERATOR(pg_catalog.=) m.package
LEFT JOIN socle.trusted_key AS k ON k.public_key OPERATOR(pg_catalog.=) p.public_key
LEFT JOIN pg_catalog.jsonb_to_recordset(socle.engine_report() OPERATOR(pg_catalog.->) 'models') AS l (
    digest text, memory_bytes bigint, loaded_at double precision, used_at double precision, text_count bigint)
    ON l.digest OPERATOR(pg_catalog.=) m.digest;
COMMENT ON VIEW socle.model_status IS 'registered models, and what the engine has of them in memory';
COMMENT ON COLUMN socle.model_status.name IS 'name of the model';
COMMENT ON COLUMN socle.model_status.kind IS 'embedding, reranker, late_interaction or ocr';
COMMENT ON COLUMN socle.model_status.dimensions IS 'length of its vectors';
COMMENT ON COLUMN socle.model_status.max_tokens IS 'its longest input in tokens';
COMMENT ON COLUMN socle.model_status.license IS 'licence of the weights, as stated at registration';
COMMENT ON COLUMN socle.model_status.digest IS 'identity of its vectors';
COMMENT ON COLUMN socle.model_status.registered_at IS 'time of registration';
COMMENT ON COLUMN socle.model_status.loaded IS 'in the memory of the engine';
COMMENT ON COLUMN socle.model_status.memory_bytes IS 'memory it takes there, estimated at loading';
COMMENT ON COLUMN socle.model_status.loaded_at IS 'time of loading';
COMMENT ON COLUMN socle.model_status.used_at IS 'last use; the oldest goes first when memory runs short';
COMMENT ON COLUMN socle.model_status.text_count IS 'texts and pairs run since it was loaded';
COMMENT ON COLUMN socle.model_status.public_use IS 'everybody may use it; false: those in socle.model_grant';
COMMENT ON COLUMN socle.model_status.package IS 'package that it was imported from; NULL: a directory of the server';
COMMENT ON COLUMN socle.model_status.vouched_by IS 'name of the trusted key that has signed the package; NULL: nobody vouches for the model';
COMMENT ON COLUMN socle.model_status.endpoint IS 'endpoint that the model runs on; NULL: this machine';
GRANT SELECT ON socle.model_status TO PUBLIC;
