-- Number of documents with chunks that the caller may see and the filter lets through, up to the limit.
SELECT count(*) FROM (
    SELECT FROM {source} s WHERE {condition} AND EXISTS (SELECT FROM {chunk} k WHERE {same k s}) LIMIT {limit}) AS s
