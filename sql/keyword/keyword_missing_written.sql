-- Subtracts what was missing when it was read; what has been added since stays.
UPDATE socle.corpus_binding b SET keyword_missing_count = b.keyword_missing_count - $2 WHERE b.corpus = $1
