-- A cross-encoder orders documents by relevance; ordinals are positions in the array.
SELECT ordinal, score > 0 AS relevant FROM socle.rerank('How many people live in Berlin?', ARRAY[
    'New York City is famous for the Metropolitan Museum of Art.',
    NULL,
    'Berlin has a population of 3,520,031 registered inhabitants in an area of 891.82 square kilometers.'], 'reranker');
SELECT ordinal FROM socle.rerank('same', ARRAY['same', 'same', 'same'], 'reranker');
SELECT * FROM socle.rerank('query', '{}', 'reranker');
SELECT * FROM socle.rerank(NULL, ARRAY['document'], 'reranker');
SELECT * FROM socle.rerank('query', NULL, 'reranker');
SELECT ordinal FROM socle.rerank('query', ARRAY[''], 'reranker');
-- Many documents, few at a time in the engine, one statement.
SELECT count(*), count(DISTINCT ordinal), max(ordinal) FROM socle.rerank('query', array_fill('a short document'::text, ARRAY[150]), 'reranker');
-- The default is the default for reranking, or else the general default.
SET socle.default_model = 'reranker';
SELECT count(*) FROM socle.rerank('query', ARRAY['document']);
SET socle.default_model = 'minilm';
SELECT * FROM error_of($$SELECT * FROM socle.rerank('query', ARRAY['document'])$$);
SET socle.default_rerank_model = 'reranker';
SELECT count(*) FROM socle.rerank('query', ARRAY['document']);
RESET socle.default_model;
RESET socle.default_rerank_model;
SELECT * FROM error_of($$SELECT * FROM socle.rerank('query', ARRAY['document'])$$);
SELECT * FROM error_of($$SELECT * FROM socle.rerank(' ', ARRAY['document'], 'reranker')$$);
SELECT * FROM error_of($$SELECT * FROM socle.rerank('query', ARRAY['short', NULL, repeat('word ', 600)], 'reranker')$$);
SELECT * FROM error_of($$SELECT * FROM socle.rerank(repeat('word ', 600), ARRAY['document'], 'reranker')$$);
SET socle.truncate_input = on;
SELECT count(*) FROM socle.rerank('query', ARRAY['short', repeat('word ', 600)], 'reranker');
RESET socle.truncate_input;
-- Late interaction: the same function, and a sum of similarities as the score.
SELECT kind, dimensions, max_tokens, pooling, normalized, batchable, length(digest) AS digest_length
FROM socle.register_model('late', 'answerai-colbert-small-v1');
SELECT late_interaction FROM socle.model WHERE name = 'late';
SELECT ordinal, score BETWEEN -11 AND 11 AS bounded FROM socle.rerank('How many people live in Berlin?', ARRAY[
    'New York City is famous for the Metropolitan Museum of Art.',
    NULL,
    'Berlin has a population of 3,520,031 registered inhabitants in an area of 891.82 square kilometers.'], 'late');
SELECT ordinal FROM socle.rerank('same', ARRAY['same', 'same', 'same'], 'late');
SELECT * FROM socle.rerank('query', '{}', 'late');
SELECT ordinal FROM socle.rerank('query', ARRAY[''], 'late');
SELECT * FROM error_of($$SELECT * FROM socle.rerank('query', ARRAY['short', NULL, repeat('word ', 600)], 'late')$$);
SELECT * FROM error_of($$SELECT * FROM socle.rerank(repeat('word ', 600), ARRAY['document'], 'late')$$);
SET socle.truncate_input = on;
SELECT count(*) FROM socle.rerank(repeat('word ', 600), ARRAY['short', repeat('word ', 600)], 'late');
RESET socle.truncate_input;
SELECT * FROM error_of($$SELECT socle.embed('text', 'late')$$);
SELECT * FROM error_of($$SELECT socle.register_model('x', 'bge-small-en-v1.5', kind => 'late_interaction')$$);
SELECT * FROM error_of($$SELECT socle.register_model('x', 'answerai-colbert-small-v1', query_prefix => 'query: ')$$);
SELECT socle.drop_model('late');
