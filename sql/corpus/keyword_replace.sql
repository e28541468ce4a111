-- Makes the keyword index of corpus $2 that of corpus $1. In two statements, as both may have equal segments.
DELETE FROM socle.keyword_segment_part f WHERE f.corpus = $1;
WITH new AS (UPDATE socle.keyword_segment_part f SET corpus = $1 WHERE f.corpus = $2)
UPDATE socle.corpus_binding b SET keyword_missing_count = n.keyword_missing_count, keyword_deleted_count = n.keyword_deleted_count
FROM socle.corpus_binding n WHERE b.corpus = $1 AND n.corpus = $2
