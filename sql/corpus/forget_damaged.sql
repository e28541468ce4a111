-- Documents whose chunks are not those that were written are made anew: an empty hash is nobody's.
UPDATE {document} d SET document_hash = '' FROM ({damaged}) AS x WHERE {same d x}
