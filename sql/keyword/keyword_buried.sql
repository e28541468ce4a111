-- $2 chunks that were deleted are in no segment any more.
UPDATE socle.corpus_binding b SET keyword_dead = greatest(b.keyword_dead - $2, 0) WHERE b.corpus = $1
