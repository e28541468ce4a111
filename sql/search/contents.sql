-- The chunks $2 as the caller may read them, with keys as the source writes them now: equal keys may be written in
-- different ways, as those of type citext.
SELECT k.chunk_id, {title}, k.heading_path, k.content, k.start_offset, k.end_offset, k.ordinal, k.page, {keys s}
FROM {chunk} k JOIN {source} s ON {same s k} WHERE k.chunk_id = ANY ($2)
