-- As many documents with chunks as the caller may see and the filter lets through; not more than are of use.
SELECT count(*) FROM (
    SELECT FROM {source} s WHERE {condition} AND EXISTS (SELECT FROM {chunk} k WHERE {same k s}) LIMIT {limit}) AS s
