-- Where documents are files. Chunk tables that an earlier version has made may lack it until ALTER EXTENSION UPDATE.
ALTER TABLE {chunk} ADD COLUMN IF NOT EXISTS extractor text;
COMMENT ON COLUMN {chunk}.extractor IS 'what the text was extracted from the file with: version of the extraction, and the digest of the model that recognised it in a picture; NULL: it is not known'
