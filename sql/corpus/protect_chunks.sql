-- A chunk is as visible as its source row. A scalar sub-select, because EXISTS would become a hashed plan over the
-- whole source; it names every column that content comes from, so that a role that may not read one gets an error.
ALTER TABLE {chunk} ENABLE ROW LEVEL SECURITY;
DROP POLICY IF EXISTS socle_source_row ON {chunk};
CREATE POLICY socle_source_row ON {chunk} FOR SELECT
    USING ((SELECT num_nulls({read_columns}) >= 0 FROM {source} s WHERE {same s self}));
