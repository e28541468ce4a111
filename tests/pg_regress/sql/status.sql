-- What the status views show after the tests before this one.
SELECT state, pid > 0 AS pid, started_at < now() AS started, restart_count, onnxruntime_version ~ '^1\.' AS onnxruntime,
       thread_count > 0 AS threads, memory_bytes BETWEEN 1e7 AND 4e9 AS memory, memory_limit_bytes, model_count > 0 AS models,
       connection_count > 0 AS connections, interactive_queue, bulk_queue, request_count > 100 AS requests,
       batch_count > 100 AS batches, text_count > 1000 AS texts, token_count > text_count AS tokens,
       tokens_per_second >= 0 AS rate, latency_p50_ms > 0 AS p50, latency_p95_ms >= latency_p50_ms AS p95, network
FROM socle.engine_status;
SELECT name, kind, loaded, memory_bytes > 1e7 AS memory, loaded_at <= used_at AS used, text_count > 0 AS texts
FROM socle.model_status ORDER BY name;
