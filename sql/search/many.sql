-- Number of documents that the caller may see and the filter lets through, up to the limit, one more than is of use.
-- Reads the source alone.
SELECT count(*) FROM (SELECT FROM {source} s WHERE {condition} LIMIT {limit}) AS s
