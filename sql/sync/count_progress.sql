-- $4 documents in $5 seconds. The rate is a moving average over some batches, and restarts after a pause.
UPDATE socle.corpus_binding AS b
SET keyword_missing_count = b.keyword_missing_count + $6, keyword_deleted_count = b.keyword_deleted_count + $7,
    embedded_count = b.embedded_count + $2, reused_count = b.reused_count + $3,
    documents_per_second = CASE
        WHEN b.worked_at > clock_timestamp() - interval '30 seconds' AND b.documents_per_second IS NOT NULL
        THEN 0.9 * b.documents_per_second
             + 0.1 * $4 / greatest(extract(epoch FROM clock_timestamp() - b.worked_at)::double precision, 0.001)
        ELSE $4 / greatest($5, 0.001) END,
    worked_at = clock_timestamp()
WHERE b.corpus = $1
