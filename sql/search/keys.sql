-- The documents of the chunks $2, by their keys as the source writes them now.
SELECT k.chunk_id, ({key_json s})::text FROM {chunk} k JOIN {source} s ON {same s k} WHERE k.chunk_id = ANY ($2)
