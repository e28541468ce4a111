DELETE FROM socle.keyword_file f WHERE f.corpus = $1 AND f.format <> $2
