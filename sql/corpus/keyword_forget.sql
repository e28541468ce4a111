-- Has the keyword index of corpus $1 rebuilt. The gap is increased, so that a worker that is completing it does not
-- reset it to 0.
WITH old AS (DELETE FROM socle.keyword_file f WHERE f.corpus = $1)
UPDATE socle.corpus_binding b SET keyword_gap = b.keyword_gap + 1, keyword_dead = 0 WHERE b.corpus = $1
