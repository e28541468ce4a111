-- By the vector index: with a filter it may end before there are enough.
SELECT k.chunk_id, ({distance})::float8 FROM {chunk} k WHERE {passes k} ORDER BY {distance} LIMIT {limit}
