-- Chunks of the documents that the caller may see and the filter lets through, up to the limit, one more than is of use.
SELECT k.chunk_id FROM {source} s JOIN {chunk} k ON {same k s} WHERE {condition} LIMIT {limit}
