SELECT b.keyword_deleted_count FROM socle.corpus_binding b WHERE b.corpus = $1
