-- By the vector index, as far as it goes: with a filter it may give up before there are enough.
SELECT k.chunk_id, ({distance})::float8 FROM {chunk} k WHERE {passes k} ORDER BY {distance} LIMIT {limit}
