-- For readers of the chunks, whom row security lets see those of rows that they may read.
ALTER TABLE {chunk} ADD COLUMN IF NOT EXISTS recognition_confidence real;
COMMENT ON COLUMN {chunk}.recognition_confidence IS 'how sure the model was that recognised text of the chunk in pictures, from 0 to 1; NULL: the text is that of the file';
