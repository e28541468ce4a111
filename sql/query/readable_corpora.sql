SELECT c.name FROM socle.corpus c
JOIN socle.corpus_binding b ON b.corpus = c.name
WHERE has_table_privilege(b.change, 'SELECT') AND has_table_privilege(b.document, 'SELECT') ORDER BY c.name
