SELECT f.digest, f.chunk_count FROM socle.keyword_segment_part f WHERE f.corpus = $1 AND f.part_number = 1 AND f.format = $2
