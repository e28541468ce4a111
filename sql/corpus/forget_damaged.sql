-- Has documents chunked again whose chunks are not those that were written: no document has an empty hash.
UPDATE {document} d SET document_hash = '' FROM ({damaged}) AS x WHERE {same d x}
