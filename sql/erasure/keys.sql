SELECT {keys s} FROM {source} s WHERE {condition} LIMIT {limit}
