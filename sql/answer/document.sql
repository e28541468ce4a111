-- The document that fits the condition, as the caller may read it; for a file of more than {limit} bytes, why it is not read.
SELECT {content}, {refusal {limit}}, {media_type}, {file_name}, {title} FROM {source} s WHERE {same}
