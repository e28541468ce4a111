-- $2 deleted chunks are no longer in any segment.
UPDATE socle.corpus_binding b SET keyword_deleted_count = greatest(b.keyword_deleted_count - $2, 0) WHERE b.corpus = $1
