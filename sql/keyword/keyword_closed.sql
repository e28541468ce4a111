-- Reduces the gap by what was missing when it was read; what has been added since stays.
UPDATE socle.corpus_binding b SET keyword_gap = b.keyword_gap - $2 WHERE b.corpus = $1
