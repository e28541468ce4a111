-- Rules about words of queries, which the owner of a corpus makes: synonyms, protected words, stop words. They are looked up
-- when a query is searched, and the keyword index knows nothing of them.

-- No foreign key: a parallel restore may load the rules before their corpora.
CREATE TABLE socle.corpus_word_rule (
    corpus text NOT NULL,
    key text NOT NULL,
    kind text NOT NULL
        CONSTRAINT corpus_word_rule_kind_check CHECK (kind OPERATOR(pg_catalog.=) ANY (ARRAY['synonym', 'protected', 'stop_word'])),
    language text NOT NULL,
    term text NOT NULL,
    replacements text[] NOT NULL
        CONSTRAINT corpus_word_rule_replacements_check CHECK (pg_catalog.array_position(replacements, NULL) IS NULL),
    CONSTRAINT corpus_word_rule_pkey PRIMARY KEY (corpus, key, kind, language, term)
);
COMMENT ON TABLE socle.corpus_word_rule IS 'synonyms, protected words and stop words of corpora; written only by functions of socle and by a restore';
COMMENT ON COLUMN socle.corpus_word_rule.corpus IS 'name of the corpus';
COMMENT ON COLUMN socle.corpus_word_rule.key IS 'first letters of the term, by which the rules for a query are looked up';
COMMENT ON COLUMN socle.corpus_word_rule.kind IS 'synonym, protected or stop_word';
COMMENT ON COLUMN socle.corpus_word_rule.language IS 'language that a query must be searched in; any: all queries';
COMMENT ON COLUMN socle.corpus_word_rule.term IS 'one or more words of a query';
COMMENT ON COLUMN socle.corpus_word_rule.replacements IS 'what is searched for besides, for a synonym';
REVOKE ALL ON socle.corpus_word_rule FROM PUBLIC;
SELECT pg_catalog.pg_extension_config_dump('socle.corpus_word_rule', '');

CREATE VIEW socle.word_rule WITH (security_barrier) AS
SELECT r.corpus, r.kind, CASE WHEN r.language OPERATOR(pg_catalog.<>) 'any' THEN r.language END AS language, r.term, r.replacements
FROM socle.corpus_word_rule r
JOIN socle.corpus c ON c.name OPERATOR(pg_catalog.=) r.corpus
JOIN pg_catalog.pg_namespace n ON n.nspname OPERATOR(pg_catalog.=) c.chunk_schema
JOIN pg_catalog.pg_class k ON k.relnamespace OPERATOR(pg_catalog.=) n.oid AND k.relname OPERATOR(pg_catalog.=) c.chunk_table
WHERE pg_catalog.pg_has_role(k.relowner, 'USAGE');
COMMENT ON VIEW socle.word_rule IS 'synonyms, protected words and stop words of the corpora that the caller owns';
COMMENT ON COLUMN socle.word_rule.corpus IS 'name of the corpus';
COMMENT ON COLUMN socle.word_rule.kind IS 'synonym, protected or stop_word';
COMMENT ON COLUMN socle.word_rule.language IS 'language that a query must be searched in; NULL: all queries';
COMMENT ON COLUMN socle.word_rule.term IS 'one or more words of a query';
COMMENT ON COLUMN socle.word_rule.replacements IS 'what is searched for besides, for a synonym';
GRANT SELECT ON socle.word_rule TO PUBLIC;

CREATE FUNCTION socle.create_synonyms(corpus text, terms text[], replacements text[] DEFAULT NULL, language text DEFAULT NULL)
RETURNS void
LANGUAGE c VOLATILE PARALLEL UNSAFE COST 1000 SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'create_synonyms_wrapper';
COMMENT ON FUNCTION socle.create_synonyms IS
    'lets keyword searches for each term find the others, too; with replacements, lets searches for a term find these, and not the other way round';

CREATE FUNCTION socle.create_protected_words(corpus text, words text[], language text DEFAULT NULL) RETURNS void
LANGUAGE c VOLATILE PARALLEL UNSAFE COST 1000 SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'create_protected_words_wrapper';
COMMENT ON FUNCTION socle.create_protected_words IS
    'lets keyword searches find these words only as they are written: not by their stem, and without corrections';

CREATE FUNCTION socle.create_stop_words(corpus text, words text[], language text DEFAULT NULL) RETURNS void
LANGUAGE c VOLATILE PARALLEL UNSAFE COST 1000 SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'create_stop_words_wrapper';
COMMENT ON FUNCTION socle.create_stop_words IS
    'lets keyword searches leave out these words, unless a query has no others';

CREATE FUNCTION socle.drop_word_rules(corpus text, words text[] DEFAULT NULL, kind text DEFAULT NULL) RETURNS bigint
LANGUAGE c VOLATILE PARALLEL UNSAFE COST 1000 SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'drop_word_rules_wrapper';
COMMENT ON FUNCTION socle.drop_word_rules IS
    'drops the synonyms, protected words and stop words of a corpus that have one of these words, or all; returns how many';
