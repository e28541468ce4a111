-- Hides all chunks: it is not known which rows they belong to.
ALTER TABLE {chunk} ENABLE ROW LEVEL SECURITY;
DROP POLICY IF EXISTS socle_source_row ON {chunk};
CREATE POLICY socle_source_row ON {chunk} FOR SELECT USING (false);
