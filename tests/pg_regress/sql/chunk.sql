-- Chunks: exact offsets, exact sizes, sentences and headings respected.
SELECT ordinal, content, start_offset, end_offset, token_count
FROM socle.chunk('Le chat dort. Le chien aboie ! Qui a ouvert la porte ? Personne ne répond.', 32);
SELECT ordinal, content, heading_path FROM socle.chunk(E'# Guide\n\nIntro.\n\n## Install\n\nRun it.\n\n```\n# not a heading\n```\n\n## Use\n\nAsk it.', 30, format => 'markdown');
SELECT ordinal, content, heading_path
FROM socle.chunk('<html><head><title>t</title></head><body><h1>Guide &amp; more</h1><p>Un <b>mot</b> &eacute;crit.</p><script>x()</script><h2>Fin</h2><p>Bye.</p></body></html>', 25, format => 'html');

CREATE TABLE document (id int, format text, content text);
INSERT INTO document VALUES
    (1, 'plain', repeat(E'Zażółć gęślą jaźń. Pchnąć w tę łódź jeża lub ośm skrzyń fig!\n\n', 40)),
    (2, 'plain', repeat('複数の文を含む段落です。次の文はここから始まります。', 60)),
    (3, 'plain', repeat('👩‍👩‍👧‍👦🇫🇷é', 100)),
    (4, 'markdown', repeat(E'## Überschrift\n\nEin Absatz mit *Betonung*, `code` und mehr.\n\n- Punkt eins\n- Punkt zwei\n\n', 30)),
    (5, 'plain', repeat('x', 1000));
-- The offsets reproduce the chunk, nothing exceeds the limit, nothing but white space is lost.
SELECT d.id, m.model,
       bool_and(substr(d.content, c.start_offset, c.end_offset - c.start_offset) = c.content) AS offsets_reproduce,
       bool_and(c.token_count <= 40) AS within_limit,
       bool_and(m.model IS NULL AND c.token_count = length(c.content) OR c.token_count = socle.count_tokens(c.content, m.model)) AS counted_exactly,
       regexp_replace(string_agg(c.content, '' ORDER BY c.ordinal), '\s', '', 'g') = regexp_replace(d.content, '\s', '', 'g') AS complete,
       min(c.ordinal) = 1 AND max(c.ordinal) = count(*) AND count(DISTINCT c.ordinal) = count(*) AS numbered
FROM document d, (VALUES (NULL), ('minilm'), ('multilingual')) AS m (model),
     LATERAL socle.chunk(d.content, 40, 0, d.format, m.model) AS c
GROUP BY d.id, d.content, m.model ORDER BY d.id, m.model NULLS FIRST;
-- Overlap repeats the end of a chunk at the beginning of the next, by no more than asked for.
SELECT bool_or(next_start < end_offset) AS overlaps, max(end_offset - next_start) <= 20 AS by_at_most_20
FROM (SELECT end_offset, lead(start_offset) OVER (ORDER BY ordinal) AS next_start
      FROM document, socle.chunk(content, 60, 20) WHERE id = 2) AS c;
-- Defaults: 2,000 characters, or the window of the model up to 512 tokens.
SELECT max(token_count) <= 2000 AND max(token_count) > 1000 AS characters FROM document, socle.chunk(repeat(content, 3)) WHERE id = 1;
SELECT max(token_count) BETWEEN 200 AND 256 AS tokens FROM document, socle.chunk(content, model => 'minilm') WHERE id = 1;
SELECT count(*) AS embeddable FROM document, socle.chunk(content, model => 'minilm') AS c, socle.embed(c.content, 'minilm') WHERE id = 1 HAVING count(*) = 0;
-- The same every time.
SELECT (SELECT array_agg(c) FROM document, socle.chunk(content, 50, 10, 'markdown') AS c WHERE id = 4)
     = (SELECT array_agg(c) FROM document, socle.chunk(content, 50, 10, 'markdown') AS c WHERE id = 4) AS deterministic;
SELECT count(*) FROM socle.chunk('');
SELECT count(*) FROM socle.chunk(E' \n\t ');
SELECT count(*) FROM socle.chunk(NULL);

SELECT * FROM error_of($$SELECT socle.chunk('x', 0)$$);
SELECT * FROM error_of($$SELECT socle.chunk('x', 10, -1)$$);
SELECT * FROM error_of($$SELECT socle.chunk('x', 10, 10)$$);
SELECT * FROM error_of($$SELECT socle.chunk('x', format => 'pdf')$$);
SELECT * FROM error_of($$SELECT socle.chunk('x', model => 'nope')$$);
SELECT * FROM error_of($$SELECT socle.chunk('x', 257, model => 'minilm')$$);
SELECT * FROM error_of($$SELECT socle.chunk('x', 2, model => 'minilm')$$);
