SELECT EXISTS (SELECT FROM {source} s WHERE {is_source})
