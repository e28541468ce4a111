-- The chunks $2, each with the value that it is grouped by, where equal values have one form, and with the key of its
-- document, as the source writes it now.
SELECT k.chunk_id, {group}, {keys s} FROM {chunk} k JOIN {source} s ON {same s k} WHERE k.chunk_id = ANY ($2)
