SELECT c.name, b.change FROM socle.corpus c JOIN socle.corpus_binding b ON b.corpus = c.name
WHERE c.state IN ('filling', 'active') ORDER BY c.name
