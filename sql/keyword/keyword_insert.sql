INSERT INTO socle.keyword_segment_part (corpus, digest, part_number, chunk_count, byte_count, format, bytes)
VALUES ($1, $2, $3, $4, $5, $6, $7)
