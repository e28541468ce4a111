-- Chunks follow their documents. What belongs to no row, nobody can tell whom to show it to.
UPDATE {chunk} k SET ({new_names}) = ROW ({document_names}) FROM {document} d WHERE {same k d} AND d.{first_new_name} IS NOT NULL;
DELETE FROM {chunk} k WHERE k.{first_new_name} IS NULL;
DELETE FROM {document} d WHERE d.{first_new_name} IS NULL;
DELETE FROM {change};
