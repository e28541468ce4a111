-- Has the segments $2 of corpus $1 made anew: counted, so that a worker that completes the index at the moment does not end
-- that.
WITH old AS (DELETE FROM socle.keyword_file f WHERE f.corpus = $1 AND f.digest = ANY ($2))
UPDATE socle.corpus_binding b SET keyword_gap = b.keyword_gap + 1 WHERE b.corpus = $1
