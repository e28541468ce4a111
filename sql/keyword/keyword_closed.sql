-- What was missing when it was looked at is there; what has come since is not.
UPDATE socle.corpus_binding b SET keyword_gap = b.keyword_gap - $2 WHERE b.corpus = $1
