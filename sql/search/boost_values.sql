-- The chunks $2, each with the values that its factor depends on.
SELECT k.chunk_id, {values} FROM {chunk} k JOIN {source} s ON {same s k} WHERE k.chunk_id = ANY ($2)
