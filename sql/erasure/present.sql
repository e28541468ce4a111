-- Keys of the documents in a table of a corpus.
SELECT DISTINCT {keys k} FROM {table} k
