-- The rules of corpus $1 that a query with the keys $2 may have the terms of.
SELECT kind, language, term, replacements
FROM socle.corpus_word_rule
WHERE corpus = $1 AND key = ANY ($2)
ORDER BY term, kind, language
