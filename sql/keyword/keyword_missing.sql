SELECT b.keyword_missing_count FROM socle.corpus_binding b WHERE b.corpus = $1
