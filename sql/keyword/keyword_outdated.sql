DELETE FROM socle.keyword_segment_part f WHERE f.corpus = $1 AND f.format <> $2
