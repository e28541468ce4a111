SELECT {keys s} FROM {source} s
