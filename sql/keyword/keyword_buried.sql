-- $2 deleted chunks are no longer in any segment.
UPDATE socle.corpus_binding b SET keyword_dead = greatest(b.keyword_dead - $2, 0) WHERE b.corpus = $1
