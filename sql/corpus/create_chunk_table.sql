CREATE TABLE {chunk} (
    chunk_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    {key_definitions_not_null},
    ordinal integer NOT NULL,
    content text NOT NULL,
    heading_path text[] NOT NULL,
    page integer,
    start_offset integer NOT NULL,
    end_offset integer NOT NULL,
    token_count integer NOT NULL,
    content_hash bytea NOT NULL,
    embedding {vector} NOT NULL
);
CREATE INDEX ON {chunk} ({key_names}, ordinal);
CREATE INDEX ON {chunk} (content_hash);
COMMENT ON TABLE {chunk} IS {chunk_comment};
COMMENT ON COLUMN {chunk}.ordinal IS 'position in the document, from 1';
COMMENT ON COLUMN {chunk}.heading_path IS 'headings above the chunk, outermost first';
COMMENT ON COLUMN {chunk}.page IS 'page, slide or sheet that the chunk begins on, from 1';
COMMENT ON COLUMN {chunk}.start_offset IS 'first character in the document, from 1; the document is the content columns with an empty line between them, or the text of the file';
COMMENT ON COLUMN {chunk}.end_offset IS 'position after the last character';
COMMENT ON COLUMN {chunk}.token_count IS 'size in tokens of the model';
COMMENT ON COLUMN {chunk}.content_hash IS 'SHA-256 of what was embedded';
COMMENT ON COLUMN {chunk}.embedding IS 'vector of title, headings and content, combined by the template of the corpus';
