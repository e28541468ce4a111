-- Token vectors, which cannot be compressed. A chunk may have none: see src/sync/token_vectors.rs.
ALTER TABLE {chunk} ADD COLUMN token_vectors bytea;
ALTER TABLE {chunk} ALTER COLUMN token_vectors SET STORAGE EXTERNAL;
COMMENT ON COLUMN {chunk}.token_vectors IS 'vectors of the tokens for reranking by late interaction, rounded; NULL: the model computes them when it reranks';
