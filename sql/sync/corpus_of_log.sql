SELECT b.corpus FROM socle.corpus_binding b WHERE b.change = $1
