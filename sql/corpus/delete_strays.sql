-- Deletes chunks without a document.
DELETE FROM {chunk} k WHERE NOT EXISTS (SELECT FROM {document} d WHERE {same d k})
