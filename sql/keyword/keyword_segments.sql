SELECT f.digest, f.format = $2 FROM socle.keyword_segment_part f WHERE f.corpus = $1 AND f.part_number = 1 ORDER BY f.digest
