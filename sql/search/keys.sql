-- The keys of the documents of the chunks $2, as the source writes them now.
SELECT k.chunk_id, {keys s} FROM {chunk} k JOIN {source} s ON {same s k} WHERE k.chunk_id = ANY ($2)
