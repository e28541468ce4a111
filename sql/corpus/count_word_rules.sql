SELECT count(*) FROM socle.corpus_word_rule WHERE corpus = $1
