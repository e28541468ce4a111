DELETE FROM {source} s WHERE {is_source}
