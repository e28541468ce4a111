SELECT r.kind, r.language, r.term, r.replacements FROM socle.word_rule r WHERE r.corpus = $1 ORDER BY r.kind, r.term, r.language
