-- All corpora over the source of corpus $1, those that are to replace another one included.
SELECT o.name FROM socle.corpus c
JOIN socle.corpus o ON o.source_schema = c.source_schema AND o.source_table = c.source_table
WHERE c.name = $1 ORDER BY o.name
