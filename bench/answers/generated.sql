-- Generated answers beside extractive ones, after load.sql, with a generator "smol" that is registered. The cross-encoder is
-- that of load.sql.
\set ON_ERROR_STOP on
\pset footer off
SET client_min_messages = warning;
SET socle.default_rerank_model = 'reranker';
CREATE TABLE IF NOT EXISTS generated_answer AS
SELECT q.id, q.language, q.kind, m.mode, a.*, clock_timestamp() AS ended_at
FROM question q, unnest(ARRAY['extractive', 'generated']) AS m (mode),
     socle.answer(CASE q.language WHEN 'en' THEN 'english' ELSE 'french' END, q.text, 'smol', m.mode, max_tokens => 96, context_tokens => 400) AS a;
SELECT mode, language, kind, count(*) AS count, count(*) FILTER (WHERE declined) AS declined,
       count(*) FILTER (WHERE EXISTS (SELECT FROM question q, unnest(q.reference) r WHERE q.id = g.id AND g.answer ~* ('(^|[^[:alnum:]])' || regexp_replace(r, '([^[:alnum:] ])', '\\\1', 'g') || '($|[^[:alnum:]])'))) AS "right",
       count(*) FILTER (WHERE finish <> 'unsupported') AS generated, round(avg(grounded)::numeric, 2) AS grounded,
       sum(jsonb_array_length(citations)) AS citations, sum(jsonb_array_length(removed)) AS removed
FROM generated_answer g GROUP BY 1, 2, 3 ORDER BY 1, 3, 2;
SELECT mode, count(*) AS citations, count(*) FILTER (WHERE k.state = 'valid') AS valid
FROM generated_answer, jsonb_array_elements(citations) AS c, socle.cite(c) AS k GROUP BY 1 ORDER BY 1;
