SELECT b.keyword_dead FROM socle.corpus_binding b WHERE b.corpus = $1
