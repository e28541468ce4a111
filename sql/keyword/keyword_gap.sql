SELECT b.keyword_gap FROM socle.corpus_binding b WHERE b.corpus = $1
