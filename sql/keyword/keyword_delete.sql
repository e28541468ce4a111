-- Returns the number of segments that existed.
WITH gone AS (DELETE FROM socle.keyword_segment_part f WHERE f.corpus = $1 AND f.digest = ANY ($2) RETURNING f.digest,
    f.part_number)
SELECT count(*) FROM gone g WHERE g.part_number = 1
