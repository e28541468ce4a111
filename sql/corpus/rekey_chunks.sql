-- Chunks follow their documents. Of a chunk without a row it is not known who may see it.
UPDATE {chunk} k SET ({new_names}) = ROW ({document_names}) FROM {document} d WHERE {same k d} AND d.{first_new_name} IS NOT NULL;
DELETE FROM {chunk} k WHERE k.{first_new_name} IS NULL;
DELETE FROM {document} d WHERE d.{first_new_name} IS NULL;
DELETE FROM {change};
