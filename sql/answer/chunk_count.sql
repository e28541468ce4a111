-- Number of chunks in the keyword index of corpus $1, those included that were deleted since.
SELECT sum(p.chunk_count) FROM socle.keyword_segment_part p WHERE p.corpus = $1 AND p.part_number = 1
