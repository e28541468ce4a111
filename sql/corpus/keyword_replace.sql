-- Makes the keyword index of corpus $2 that of corpus $1. In two statements, as both may have equal segments.
DELETE FROM socle.keyword_file f WHERE f.corpus = $1;
WITH new AS (UPDATE socle.keyword_file f SET corpus = $1 WHERE f.corpus = $2)
UPDATE socle.corpus_binding b SET keyword_gap = n.keyword_gap, keyword_dead = n.keyword_dead
FROM socle.corpus_binding n WHERE b.corpus = $1 AND n.corpus = $2
