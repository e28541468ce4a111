-- Has the keyword index of corpus $1 rebuilt. The gap is increased, so that a worker that is completing it does not
-- reset it to 0.
WITH old AS (DELETE FROM socle.keyword_segment_part f WHERE f.corpus = $1)
UPDATE socle.corpus_binding b SET keyword_missing_count = b.keyword_missing_count + 1, keyword_deleted_count = 0
    WHERE b.corpus = $1
