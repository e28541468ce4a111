DELETE FROM {target} f WHERE f.file_name = ANY ($1)
