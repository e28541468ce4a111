-- The figures of bench/README.md, after load.sql. :reranker is 'reranker', or '' for none.
\set ON_ERROR_STOP on
\pset footer off
SET client_min_messages = warning;
SET socle.default_rerank_model = :'reranker';
SELECT set_name AS questions, e.question_count AS count, round(e.contained::numeric, 3) AS right_in_three, round(e.token_f1::numeric, 3) AS token_f1,
       e.declined_wrongly, e.declined_rightly, round(e.median_milliseconds) AS milliseconds
FROM (VALUES ('english', 'asked_en'), ('french', 'asked_fr'), ('english', 'off_topic_en'), ('french', 'off_topic_fr'),
             ('english', 'near_miss_en'), ('french', 'near_miss_fr')) AS s (corpus, set_name),
     socle.evaluate_answers(corpus, set_name::regclass) AS e;
-- Each quote stands where its citation says.
SELECT count(*) AS citations, count(*) FILTER (WHERE k.state = 'valid' AND regexp_replace(k.content, '\s+', ' ', 'g') = regexp_replace(c->>'quote', '\s+', ' ', 'g')) AS valid
FROM question q, socle.answer(CASE language WHEN 'en' THEN 'english' ELSE 'french' END, q.text), jsonb_array_elements(citations) AS c, socle.cite(c) AS k;
SELECT 'english' AS corpus, * FROM socle.calibrate('english', 'all_en') WHERE is_best
UNION ALL SELECT 'french', * FROM socle.calibrate('french', 'all_fr') WHERE is_best;
