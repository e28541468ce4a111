-- How the demo prints rows, within 100 columns: each function takes a row of a query as JSON. Nothing here is needed to use
-- socle. Words of the query stand between ** and **.
\set ON_ERROR_STOP on
\set QUIET on
SET client_min_messages = warning;
CREATE SCHEMA IF NOT EXISTS demo;
GRANT USAGE ON SCHEMA demo TO PUBLIC;

-- HTML as it comes from "snippet" and "highlighted" as plain text, without the signs of Markdown before a
-- heading, on lines of at most 97 letters.
CREATE OR REPLACE FUNCTION demo.wrapped(html text, indent int) RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT rtrim(regexp_replace(regexp_replace(regexp_replace(
        replace(replace(replace(replace(replace(html, '&lt;', '<'), '&gt;', '>'), '&quot;', '"'), '&#39;', ''''), '&amp;', '&'),
        '\s+', ' ', 'g'), '(^| )#{1,6} (?=(?:\*\*)?[[:upper:]0-9])', '\1', 'g'),
        format('(.{1,%1$s})(?: +|$)|(\S{%1$s})', 97 - indent), E'\\1\\2\n' || repeat(' ', indent), 'g'), E'\n ')
$$;

CREATE OR REPLACE FUNCTION demo.short_file(name text) RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT regexp_replace(name, '^.*/([^/]+/[^/]+)$', '\1')
$$;

CREATE OR REPLACE FUNCTION demo.hit(s jsonb, number bigint) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT format('  %s  %s', number, left(s ->> 'title', 90)) || E'\n     '
        || concat_ws('  ·  ', demo.short_file(s ->> 'file'), 'page ' || (s ->> 'page'),
            'score ' || round((s ->> 'score')::numeric, 1), 'meaning ' || round((s ->> 'vector_score')::numeric, 2),
            'words ' || round((s ->> 'keyword_score')::numeric, 1))
        || E'\n     ' || demo.wrapped(s ->> 'snippet', 5)
$$;

CREATE OR REPLACE FUNCTION demo.line(s jsonb, number bigint) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT format('  %s  %s  %s', rpad(s ->> 'step', 10), lpad(coalesce(round((s ->> 'milliseconds')::numeric, 1)::text || ' ms', ''), 9),
                  demo.wrapped(left(s ->> 'detail', 300), 25))
    WHERE s ->> 'step' <> 'result' OR s ->> 'detail' ~ '^[12]:'
$$;

CREATE OR REPLACE FUNCTION demo.measure(s jsonb, number bigint) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT format('  %s  nDCG@5 %s   found %s %%   in %s ms', rpad(s ->> 'mode', 8), round((s ->> 'ndcg')::numeric, 2),
                  lpad(round((s ->> 'recall')::numeric * 100)::text, 3), round((s ->> 'median_milliseconds')::numeric))
$$;

CREATE OR REPLACE FUNCTION demo.answer(s jsonb, number bigint) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT CASE WHEN (s ->> 'declined')::boolean THEN '  No answer: ' || demo.wrapped(s ->> 'reason', 2)
           ELSE '  ' || demo.wrapped(s ->> 'answer', 2) END
        || coalesce(E'\n\n  ' || round((s ->> 'grounded')::numeric * 100) || ' % of its sentences are kept: passages support them.', '')
$$;

CREATE OR REPLACE FUNCTION demo.citation(s jsonb, number bigint) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT format('  [%s] %s: %s, characters %s to %s', s ->> 'number', s ->> 'state', demo.short_file(s ->> 'file'),
                  s ->> 'start_offset', s ->> 'end_offset')
        || E'\n      ' || demo.wrapped('“' || (s ->> 'content') || '”', 6)
$$;
