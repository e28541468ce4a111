-- How many of these documents have a value in each range: from one bound, inclusive, to the next, exclusive. The row
-- without a number is that of NULL.
WITH bound AS MATERIALIZED (SELECT ARRAY(SELECT DISTINCT u.bound FROM unnest({bounds}) AS u (bound) ORDER BY 1) AS list),
counted AS MATERIALIZED (
    SELECT width_bucket({value}, (SELECT b.list FROM bound b)) AS number, count(*) AS documents
    FROM {source} s WHERE {condition} AND {matches} GROUP BY 1)
SELECT r.number, b.list[r.number], b.list[r.number + 1], coalesce(c.documents, 0)
FROM bound b CROSS JOIN generate_series(0, cardinality(b.list)) AS r (number) LEFT JOIN counted c ON c.number = r.number
UNION ALL
SELECT NULL, NULL, NULL, c.documents FROM counted c WHERE c.number IS NULL
ORDER BY 1
