-- As many documents as the caller may see and the filter lets through, one more than is of use: a look at the source alone.
SELECT count(*) FROM (SELECT FROM {source} s WHERE {condition} LIMIT {limit}) AS s
