-- Some parts of a segment, and the size of the whole in bytes.
SELECT f.bytes, f.byte_count
FROM socle.keyword_segment_part f WHERE f.corpus = $1 AND f.digest = $2 AND f.part_number BETWEEN $3 AND $4 ORDER BY f.part_number
