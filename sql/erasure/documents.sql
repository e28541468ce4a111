DELETE FROM {document} k WHERE {is_it} RETURNING k.document_hash
