-- Title and headings of the chunks $2 that have a document that the caller may see.
SELECT k.chunk_id, {title}, k.heading_path FROM {chunk} k JOIN {source} s ON {same s k} WHERE k.chunk_id = ANY ($2)
