-- Columns for another key beside that of the documents; see src/corpus/rekey.rs.
ALTER TABLE {document} {new_columns};
ALTER TABLE {chunk} {new_columns};
