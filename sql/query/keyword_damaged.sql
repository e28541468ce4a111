-- Segments of corpus $1 whose bytes are not those that were written.
SELECT encode(f.digest, 'hex') FROM socle.keyword_file f WHERE f.corpus = $1
GROUP BY f.digest HAVING sha256(string_agg(f.bytes, ''::bytea ORDER BY f.part_number)) <> f.digest
