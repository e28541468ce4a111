-- Generated answers beside extractive ones, after load.sql, with a generator "smol" that is registered. The cross-encoder is
-- that of load.sql.
\set ON_ERROR_STOP on
\pset footer off
SET client_min_messages = warning;
SET socle.default_rerank_model = 'reranker';
CREATE TABLE IF NOT EXISTS generated_answer AS
SELECT 0 AS id, ''::text AS language, ''::text AS kind, ''::text AS mode, a.*, 0.0::float8 AS seconds
FROM socle.answer(NULL::text, NULL) AS a;
TRUNCATE generated_answer;
-- Question by question, so that each has the time of its own.
SELECT format('WITH begun AS MATERIALIZED (SELECT clock_timestamp() AS at)
               INSERT INTO generated_answer SELECT q.id, q.language, q.kind, %L, a.*, extract(epoch FROM clock_timestamp() - begun.at)
               FROM begun, question q, socle.answer(CASE q.language WHEN ''en'' THEN ''english'' ELSE ''french'' END, q.text, ''smol'', %L,
                                                    max_tokens => 64, context_tokens => 300) AS a WHERE q.id = %s', mode, mode, id)
FROM question, unnest(ARRAY['generated', 'extractive']) AS mode ORDER BY mode DESC, id
\gexec
SELECT mode, language, kind, count(*) AS count, count(*) FILTER (WHERE declined) AS declined,
       count(*) FILTER (WHERE EXISTS (SELECT FROM question q, unnest(q.reference) r WHERE q.id = g.id AND g.answer ~* ('(^|[^[:alnum:]])' || regexp_replace(r, '([^[:alnum:] ])', '\\\1', 'g') || '($|[^[:alnum:]])'))) AS "right",
       count(*) FILTER (WHERE finish <> 'unsupported') AS generated, round(avg(grounded)::numeric, 2) AS grounded,
       sum(jsonb_array_length(citations)) AS citations, sum(jsonb_array_length(removed)) AS removed,
       round(percentile_cont(0.5) WITHIN GROUP (ORDER BY seconds)::numeric, 1) AS median_seconds
FROM generated_answer g GROUP BY 1, 2, 3 ORDER BY 1, 3, 2;
SELECT mode, count(*) AS citations, count(*) FILTER (WHERE k.state = 'valid') AS valid
FROM generated_answer, jsonb_array_elements(citations) AS c, socle.cite(c) AS k GROUP BY 1 ORDER BY 1;
-- Words with a digit or a capital letter inside a kept sentence, and how many of them the quote or the title has.
SELECT count(*) AS words, count(*) FILTER (WHERE strpos(lower(concat(c.citation->>'quote', ' ', c.citation->>'title')), lower(w[1])) > 0) AS held
FROM generated_answer g, regexp_split_to_table(g.answer, ' \[\d+\] ?') WITH ORDINALITY AS s (sentence, number),
     jsonb_array_elements(g.citations) WITH ORDINALITY AS c (citation, number),
     regexp_matches(substr(s.sentence, 2), '(?<=\s)[[:alnum:]./-]*(?:\d|[[:upper:]])[[:alnum:]/-]*', 'g') AS w
WHERE g.mode = 'generated' AND g.finish <> 'unsupported' AND c.number = s.number;
