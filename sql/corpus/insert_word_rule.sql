-- Adds a rule, or replacements to one that there is; returns the number of its replacements.
INSERT INTO socle.corpus_word_rule AS r (corpus, key, kind, language, term, replacements)
VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT ON CONSTRAINT corpus_word_rule_pkey DO UPDATE
SET replacements = coalesce((SELECT array_agg(DISTINCT x.word ORDER BY x.word)
                             FROM unnest(r.replacements || excluded.replacements) AS x (word)), '{}')
RETURNING cardinality(replacements)::bigint
