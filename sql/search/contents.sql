SELECT k.chunk_id, {key_json k}, {title}, k.heading_path, k.content, k.start_offset, k.end_offset, k.ordinal, k.page
FROM {chunk} k JOIN {source} s ON {same s k} WHERE k.chunk_id = ANY ($2)
