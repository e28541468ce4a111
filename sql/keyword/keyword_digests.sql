SELECT DISTINCT f.digest FROM socle.keyword_file f WHERE f.corpus = $1
