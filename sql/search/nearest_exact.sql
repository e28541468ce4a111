-- By comparing every vector of the documents that the caller may see and the filter lets through. Ordered by an
-- expression, so that no index is used.
SELECT k.chunk_id, ({distance})::float8 FROM {source} s JOIN {chunk} k ON {same k s} WHERE {condition}
ORDER BY ({distance}) + 0.0::float8 LIMIT {limit}
