-- The extension with its models, and a helper for the tests that follow.
CREATE EXTENSION socle CASCADE;
SELECT socle.version() = extversion AS versions_agree FROM pg_extension WHERE extname = 'socle';
SELECT name, kind, dimensions, max_tokens, pooling, normalized, batchable, length(digest) AS digest_length
FROM (VALUES ('minilm', 'all-minilm-l6-v2'), ('bge', 'bge-small-en-v1.5'), ('multilingual', 'use-multilingual-v3'),
             ('reranker', 'ms-marco-minilm-l12-v2')) AS v (model, directory),
     LATERAL socle.register_model(v.model, v.directory);

-- What an error says. Paths differ from machine to machine.
CREATE FUNCTION error_of(sql text, OUT code text, OUT message text, OUT detail text, OUT hint text)
LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE sql;
    message := 'no error';
EXCEPTION WHEN OTHERS OR query_canceled THEN
    GET STACKED DIAGNOSTICS code = RETURNED_SQLSTATE, message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL,
        hint = PG_EXCEPTION_HINT;
    message := regexp_replace(message, '"/[^"]*/', '"…/', 'g');
    detail := regexp_replace(detail, '"/[^"]*/', '"…/', 'g');
END $$;

-- The lines of a plan that name an index or a parallel scan; the rest differs from version to version.
CREATE FUNCTION plan_of(sql text) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE line text;
BEGIN
    FOR line IN EXECUTE 'EXPLAIN (COSTS OFF) ' || sql LOOP
        IF line ~ 'Index Scan|Parallel|Workers Planned|Result' THEN RETURN NEXT trim(line, ' ->'); END IF;
    END LOOP;
END $$;
