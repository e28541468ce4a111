-- No chunk is shown to anybody: it is not known which row it belongs to.
ALTER TABLE {chunk} ENABLE ROW LEVEL SECURITY;
DROP POLICY IF EXISTS socle_source_row ON {chunk};
CREATE POLICY socle_source_row ON {chunk} FOR SELECT USING (false);
