-- The registry: what is registered, what is refused.
SELECT name, kind, dimensions, max_tokens, pooling, normalized, query_prefix, passage_prefix, directory,
       output_name, batchable, registered_by = session_user AS by_me
FROM socle.model ORDER BY name;
SELECT name, file ->> 'role' AS role, file ->> 'path' AS path, length(file ->> 'sha256') AS digits
FROM socle.model, jsonb_array_elements(files) AS file WHERE name = 'bge' ORDER BY 2, 3;

-- The caller may overrule the files; another window is another model, another name is not.
SELECT max_tokens FROM socle.register_model('short', 'bge-small-en-v1.5', max_tokens => 64, query_prefix => 'q: ', license => 'MIT');
SELECT max_tokens, query_prefix, license FROM socle.model WHERE name = 'short';
SELECT digest = (SELECT digest FROM socle.register_model('same', 'bge-small-en-v1.5')) AS same_digest
FROM socle.model WHERE name = 'bge';
SELECT count(DISTINCT digest) AS digests, count(*) AS models FROM socle.model;
SELECT socle.drop_model('short'), socle.drop_model('same');
SELECT query_prefix, passage_prefix, similarity
FROM socle.register_model('prompted', 'bge-small-en-v1.5', passage_prompt => 'query', query_prefix => '');
SELECT similarity, pool_prefix, lower_case, first_position, layers FROM socle.model WHERE name = 'prompted';
SELECT socle.drop_model('prompted');

SELECT * FROM error_of($$SELECT socle.register_model('bge', 'bge-small-en-v1.5')$$);
SELECT * FROM error_of($$SELECT socle.register_model('x', 'no-such-directory')$$);
SELECT * FROM error_of($$SELECT socle.register_model('x', '../..')$$);
SELECT * FROM error_of($$SELECT socle.register_model('x', '/etc')$$);
SELECT * FROM error_of($$SELECT socle.register_model('', 'bge-small-en-v1.5')$$);
SELECT * FROM error_of($$SELECT socle.register_model(NULL, 'bge-small-en-v1.5')$$);
SELECT * FROM error_of($$SELECT socle.register_model('x', '')$$);
SELECT * FROM error_of($$SELECT socle.register_model('x', 'bge-small-en-v1.5', pooling => 'median')$$);
SELECT * FROM error_of($$SELECT socle.register_model('x', 'bge-small-en-v1.5', kind => 'classifier')$$);
SELECT * FROM error_of($$SELECT socle.register_model('x', 'bge-small-en-v1.5', dimensions => 768)$$);
SELECT * FROM error_of($$SELECT socle.register_model('x', 'bge-small-en-v1.5', max_tokens => 0)$$);
SELECT * FROM error_of($$SELECT socle.register_model('x', 'ms-marco-minilm-l12-v2', kind => 'embedding')$$);
SELECT * FROM error_of($$SELECT socle.register_model('x', 'bge-small-en-v1.5', graph => 'other.onnx')$$);
SELECT code, message, hint FROM error_of($$SELECT socle.register_model('x', 'bge-small-en-v1.5', max_tokens => 513)$$);
SELECT * FROM error_of($$SELECT socle.register_model('x', 'bge-small-en-v1.5', query_prompt => 'search')$$);
SELECT * FROM error_of($$SELECT socle.register_model('x', 'bge-small-en-v1.5', query_prompt => 'query', query_prefix => 'q: ')$$);
SELECT * FROM error_of($$SELECT socle.drop_model('x')$$);
SELECT * FROM error_of($$SET TRANSACTION READ ONLY; SELECT socle.register_model('x', 'bge-small-en-v1.5')$$);

-- A registration that is rolled back leaves nothing.
BEGIN;
SELECT name FROM socle.register_model('gone', 'bge-small-en-v1.5');
SELECT vector_dims(socle.embed('text', 'gone'));
ROLLBACK;
SELECT * FROM error_of($$SELECT socle.embed('text', 'gone')$$);
