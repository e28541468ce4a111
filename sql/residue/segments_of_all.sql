SELECT DISTINCT f.digest FROM socle.keyword_segment_part f
