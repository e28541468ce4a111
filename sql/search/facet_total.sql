-- Number of documents that the caller may see, the filter lets through, and that match.
SELECT count(*) FROM {source} s WHERE {condition} AND {matches}
