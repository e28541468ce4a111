-- Has segments rebuilt that this version cannot read.
UPDATE socle.corpus_binding b SET keyword_missing_count = 1
WHERE b.keyword_missing_count = 0 AND EXISTS (SELECT FROM socle.keyword_segment_part f WHERE f.corpus = b.corpus
    AND f.part_number = 1 AND f.format <> $1)
