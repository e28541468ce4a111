-- What there is, for readers in psql: functions and views by area, and the arguments of each function. Names, types, defaults and
-- descriptions are those of the catalogs; areas and meanings of arguments stand here. tests/pg_regress/sql/help.sql finds
-- what was forgotten.

CREATE FUNCTION socle.help(topic text DEFAULT NULL)
RETURNS TABLE (area text, name text, type text, default_value text, description text)
LANGUAGE sql STABLE PARALLEL SAFE COST 10000 ROWS 20 SET search_path = pg_catalog, pg_temp
AS $$
WITH area (position, name, members) AS (VALUES
    (1, 'models', '{register_model,drop_model,model_status}'::text[]),
    (2, 'texts', '{chunk,count_tokens,embed,embed_query,rerank}'),
    (3, 'documents', '{extract,extract_text,document_metadata,import_directory}'),
    (4, 'corpora', '{create_corpus,alter_corpus,drop_corpus,wait_for_corpus,sync_corpus,pause_corpus,resume_corpus,retry_failed,verify_corpus,
                     export_corpus,export_corpus_rows,import_corpus,corpus_status,job_failure}'),
    (5, 'retrieval', '{search,explain_search,evaluate,similar,suggest,facets,create_search_function,create_synonyms,create_protected_words,
                       create_stop_words,drop_word_rules,word_rule}'),
    (6, 'answers', '{answer,answer_stream,context,context_passages,cite,calibrate,evaluate_answers,prompt,create_prompt_template,
                     drop_prompt_template}'),
    (7, 'generators', '{register_generator,drop_generator,generate,count_generator_tokens,generator_status,register_endpoint,
                        drop_endpoint,grant_endpoint,revoke_endpoint,endpoint_status}'),
    (8, 'operation', '{help,version,engine_status,engine_report,generator_report,endpoint_report,worker_status}')),
meaning (argument, functions, text) AS (VALUES
    ('allow_loopback', NULL::text[], 'the endpoint may be on this machine'),
    ('allow_private', NULL, 'the endpoint may have a private address'),
    ('boost', NULL, 'raises or lowers scores by columns of the source'),
    ('ca_file', NULL, 'file below socle.egress_key_directory with the only certificate authorities to trust'),
    ('candidate_count', NULL, 'candidates of each retriever'),
    ('choices', NULL, 'the text is one of these'),
    ('chunk_id', NULL, 'a chunk, as the column of the same name has it'),
    ('chunk_schema', NULL, 'schema of the tables of the corpus; without it, that of the source'),
    ('citation', NULL, 'a citation of an answer'),
    ('columns', NULL, 'columns whose values are counted'),
    ('content', NULL, 'a text'),
    ('content', '{create_corpus}', 'columns with text'),
    ('contents', NULL, 'texts'),
    ('context_tokens', NULL, 'most tokens of the passages in the prompt'),
    ('context_tokens', '{register_generator,register_endpoint}', 'room for prompt and text together'),
    ('conversation', NULL, 'earlier turns, from which a question takes its subject'),
    ('corpora', NULL, 'several corpora'),
    ('corpus', NULL, 'name of a corpus'),
    ('count_total', NULL, 'counts the results of all pages'),
    ('dialect', NULL, 'openai, openai_legacy, mistral, gemini, azure or anthropic'),
    ('dimensions', NULL, 'length of the vectors, if it is to be shortened'),
    ('directory', NULL, 'directory below socle.model_directory'),
    ('directory', '{import_directory,import_corpus}', 'directory below socle.import_directories'),
    ('directory', '{export_corpus}', 'new directory below socle.export_directories'),
    ('diversity', NULL, '0: by score; towards 1: by difference from the results above'),
    ('document', NULL, 'bytes of a file'),
    ('document', '{create_corpus}', 'column with files, instead of content'),
    ('documents', NULL, 'texts to be scored'),
    ('egress', NULL, 'endpoints that may be sent questions to the corpus and passages of it'),
    ('embedding', NULL, 'a vector of the model of the corpus'),
    ('example_answer', NULL, 'answer of the worked example'),
    ('example_context', NULL, 'passages of the worked example'),
    ('example_question', NULL, 'question of the worked example'),
    ('extra_body', NULL, 'further fields of requests; null leaves a field out'),
    ('fields', NULL, 'where words are looked for: title, headings, content'),
    ('file', NULL, 'file below socle.model_directory, in the format GGUF'),
    ('file_name', NULL, 'name of the file, a hint'),
    ('file_name', '{create_corpus}', 'column with the names of the files'),
    ('filter', NULL, 'conditions on the columns of the source'),
    ('format', NULL, 'plain, markdown or html'),
    ('fusion', NULL, 'how two rankings become one: adaptive, rrf or minmax'),
    ('generator', NULL, 'name of a generator; without it, socle.default_generator'),
    ('graph', NULL, 'file of the graph, if there are several'),
    ('group_by', NULL, 'column of which each value has its best chunks only'),
    ('group_by_document', NULL, 'only the best chunks of each document'),
    ('group_size', NULL, 'most chunks of a group'),
    ('heading_weight', NULL, 'what a word counts in headings; in the content it counts 1'),
    ('hnsw_ef_construction', NULL, 'candidates that are looked at when the vector index is built'),
    ('hnsw_m', NULL, 'connections of a node in the vector index'),
    ('if_not_exists', NULL, 'a notice instead of an error if it exists'),
    ('incomplete', NULL, 'also where changes are pending: leaves their documents out'),
    ('json_schema', NULL, 'the text is JSON that this schema describes'),
    ('judgments', NULL, 'table of judgments: id of a query, key of a document, grade'),
    ('k', NULL, 'number of results that are looked at'),
    ('keep_chunks', NULL, 'leaves the chunks as an ordinary table'),
    ('key_file', NULL, 'file below socle.egress_key_directory with the key'),
    ('keyword_weight', NULL, 'how much words count in the fusion'),
    ('kind', NULL, 'synonym, protected or stop_word; without it, all'),
    ('kind', '{register_model}', 'embedding, reranker, late_interaction or ocr, if the files do not say it'),
    ('language', NULL, 'language of the query; without it, detected'),
    ('language', '{create_corpus,alter_corpus}', 'language of the documents; auto: detected for each chunk'),
    ('language', '{create_synonyms,create_protected_words,create_stop_words}', 'language of the queries that the rule holds for; without it, all'),
    ('language_column', NULL, 'column with the language of each document'),
    ('license', NULL, 'licence, which is kept with the model'),
    ('marks', NULL, 'what stands before and after each word of the query'),
    ('max_attempts', NULL, 'attempts after which a document that fails is set aside'),
    ('max_response_bytes', NULL, 'longest answer'),
    ('max_sentences', NULL, 'most sentences of an extracted answer'),
    ('max_tokens', NULL, 'most tokens that are written'),
    ('max_tokens', '{chunk,create_corpus,alter_corpus}', 'largest chunk, in tokens'),
    ('max_tokens', '{context,context_passages,prompt}', 'most tokens of all passages together'),
    ('max_tokens', '{register_model}', 'longest input, if it is to be shorter than the files say'),
    ('media_type', NULL, 'media type of the file, a hint'),
    ('media_type', '{create_corpus}', 'column with the media types of the files'),
    ('messages', NULL, 'a conversation, as socle.prompt returns it'),
    ('min_relevance', NULL, 'least relevance of an answer'),
    ('min_rerank', NULL, 'leaves out results with a lower rerank_score'),
    ('min_score', NULL, 'leaves out results with a lower score'),
    ('min_similarity', NULL, 'leaves out results with a lower cosine similarity'),
    ('mode', NULL, 'hybrid, vector or keyword'),
    ('mode', '{answer,answer_stream,evaluate_answers}', 'extractive, generated, or auto: generated if a generator is named or set'),
    ('model', NULL, 'name of a model; without it, socle.default_model'),
    ('model', '{register_endpoint}', 'name of the model, as the endpoint knows it'),
    ('model', '{import_corpus}', 'name of the model here; without it, the name in the manifest'),
    ('model', '{rerank}', 'name of a reranker; without it, socle.default_rerank_model'),
    ('model', '{chunk}', 'model whose tokens are counted; without it, characters are'),
    ('modes', NULL, 'modes of the search that are measured'),
    ('name', NULL, 'its name'),
    ('neighbours', NULL, 'chunks before and after each hit that are joined with it'),
    ('normalized', NULL, 'whether vectors are brought to the length 1, if the files do not say it'),
    ('ocr', NULL, 'which pictures of files are recognised: auto, those that hold the text; off; always'),
    ('overlap_tokens', NULL, 'tokens of the end of a chunk that the next one repeats'),
    ('part_megabytes', NULL, 'size of a file before compression, about'),
    ('passage_limit', NULL, 'search results that passages are made from'),
    ('passage_order', NULL, 'relevance, or document: those of a document together'),
    ('passage_prefix', NULL, 'text before each passage that is embedded'),
    ('passage_prompt', NULL, 'name of the prompt of the model that passages get'),
    ('pattern', NULL, 'which files, as in a shell: *, ?, [a-z], **'),
    ('pooling', NULL, 'how vectors of tokens become one, if the files do not say it'),
    ('prefix', NULL, 'a text that is being typed'),
    ('prompt', NULL, 'what the model is asked'),
    ('queries', NULL, 'table of queries: id, text'),
    ('query', NULL, 'what is searched for, in plain words'),
    ('query_prefix', NULL, 'text before each query that is embedded'),
    ('query_prompt', NULL, 'name of the prompt of the model that queries get'),
    ('query_syntax', NULL, 'how words are read: natural, operators or plain'),
    ('question', NULL, 'a question'),
    ('question_template', NULL, 'the message with {context} and {question}'),
    ('questions', NULL, 'table of questions, and the text of a right answer, or NULL where there is none'),
    ('ranges', NULL, 'columns with the bounds of ranges'),
    ('remove_missing', NULL, 'removes rows of files that are gone'),
    ('repair', NULL, 'has what was found repaired'),
    ('replacements', NULL, 'words that terms find; without them, terms find each other'),
    ('rerank_count', NULL, 'candidates that are reranked'),
    ('rerank_model', NULL, 'reranker'),
    ('rerank_weight', NULL, 'weight of the reranker, from 0 to 1'),
    ('result_limit', NULL, 'most results'),
    ('result_offset', NULL, 'results to skip'),
    ('role', NULL, 'a role; public: everybody'),
    ('schema', NULL, 'schema of the function; without it, that of the source'),
    ('score_statistics', NULL, 'where rarity is counted: corpus, or visible chunks'),
    ('search_mode', NULL, 'mode of the search: hybrid, vector or keyword'),
    ('seed', NULL, 'makes a drawn text repeatable'),
    ('snippet_by', NULL, 'what a snippet without words of the query shows: words (its beginning) or meaning'),
    ('snippet_length', NULL, 'most characters of a snippet; 0: none'),
    ('source', NULL, 'table whose rows are the documents'),
    ('source_key', NULL, 'key of a document, as the column of the same name has it'),
    ('stale', NULL, 'chunks whose documents have changed: omit or show'),
    ('stop', NULL, 'texts before which it ends'),
    ('suggestion_limit', NULL, 'most suggestions'),
    ('system', NULL, 'instructions before everything else'),
    ('target', NULL, 'table that files are read into'),
    ('temperature', NULL, '0: the most likely token each time; up to 2: drawn more freely'),
    ('template', NULL, 'template of the prompt'),
    ('template', '{create_corpus,alter_corpus}', 'text before each chunk when it is embedded, such as {title}: {content}'),
    ('template', '{register_generator}', 'chat template of llama.cpp, if that of the file is not known'),
    ('terms', NULL, 'words of queries'),
    ('texts', NULL, 'texts, which are compared together'),
    ('timeout', NULL, 'longest wait'),
    ('timeout_seconds', NULL, 'longest time to the end of the answer'),
    ('title', NULL, 'column with the title'),
    ('title_weight', NULL, 'what a word counts in the title; in the content it counts 1'),
    ('token_model', NULL, 'model of late interaction whose token vectors are stored'),
    ('token_model', '{context,context_passages,prompt}', 'model or generator whose tokens are counted'),
    ('topic', NULL, 'an area, a function or view, or a part of a name; without it, everything'),
    ('url', NULL, 'base URL, to which the dialect adds its path'),
    ('value_limit', NULL, 'most values of each column'),
    ('vector_optional', NULL, 'searches by words only, with a warning, if the model cannot be used'),
    ('words', NULL, 'words of queries; without them, all')),
wanted (name) AS (SELECT regexp_replace(lower(topic), '^socle\.', '')),
-- Of functions with the same name, the first one.
entry (oid, name, type, description) AS (
    (SELECT DISTINCT ON (p.proname) NULL::oid, p.proname::text, CASE p.prokind WHEN 'p' THEN 'procedure' ELSE 'function' END,
            obj_description(p.oid, 'pg_proc')
     FROM pg_proc p WHERE p.pronamespace = 'socle'::regnamespace AND p.proname !~ '^_' ORDER BY p.proname, p.oid)
    UNION ALL
    SELECT c.oid, c.relname, 'view', obj_description(c.oid, 'pg_class')
    FROM pg_class c WHERE c.relnamespace = 'socle'::regnamespace AND c.relkind = 'v'),
listed AS (
    SELECT a.position, coalesce(a.name, 'other') AS area, array_position(a.members, e.name) AS number, e.oid, e.name, e.type, e.description
    FROM entry e LEFT JOIN area a ON e.name = ANY (a.members)),
-- Arguments of a function, or columns of a view.
part (number, name, type, default_value, description) AS (
    (SELECT DISTINCT ON (a.name) a.position + CASE WHEN p.oid = min(p.oid) OVER () THEN 0 ELSE 0.5 END, a.name,
            format_type(coalesce(p.proallargtypes[a.position], p.proargtypes[a.position - 1]), NULL),
            regexp_replace(pg_get_function_arg_default(p.oid, a.position::integer), '::[a-z ]+(\[\])?$', ''),
            (SELECT m.text FROM meaning m WHERE m.argument = a.name AND (m.functions IS NULL OR p.proname = ANY (m.functions))
             ORDER BY m.functions IS NULL LIMIT 1)
     FROM pg_proc p, unnest(p.proargnames) WITH ORDINALITY AS a (name, position)
     WHERE p.pronamespace = 'socle'::regnamespace AND p.proname = (SELECT w.name FROM wanted w)
       AND (p.proargmodes IS NULL OR p.proargmodes[a.position] = 'i')
     ORDER BY a.name, p.oid)
    UNION ALL
    SELECT a.attnum, a.attname, format_type(a.atttypid, a.atttypmod), NULL, col_description(a.attrelid, a.attnum)
    FROM pg_attribute a JOIN listed l ON l.oid = a.attrelid AND l.name = (SELECT w.name FROM wanted w)
    WHERE a.attnum > 0 AND NOT a.attisdropped)
SELECT l.area, r.name, r.type, r.default_value, r.description
FROM (
    -- In a list, the first clause of a description is enough.
    SELECT l.name AS entry, 0 AS number, l.name, l.type, NULL AS default_value,
           CASE WHEN l.name = w.name THEN l.description ELSE split_part(l.description, '; ', 1) END AS description
    FROM listed l CROSS JOIN wanted w
    WHERE topic IS NULL OR w.name IN (l.area, l.name)
       OR (NOT EXISTS (SELECT FROM listed o WHERE w.name IN (o.area, o.name)) AND strpos(l.name, w.name) > 0)
    UNION ALL
    SELECT w.name, p.number, p.name, p.type, p.default_value, p.description FROM part p CROSS JOIN wanted w) AS r
JOIN listed l ON l.name = r.entry
ORDER BY l.position, l.number, l.name, r.number
$$;
COMMENT ON FUNCTION socle.help IS
    'what there is: functions and views by area; for one of them its arguments or columns, with types, defaults and meaning';
