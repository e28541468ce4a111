-- The values of a column, and how many of these documents have each, the most common ones first.
SELECT {value}, count(*) FROM {source} s{join} WHERE {condition} AND {matches} GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT {limit}
