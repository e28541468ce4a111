-- From 0.1.0 to 0.2.0. What sql/schema creates anew, an existing installation gets here; a test compares both.
\echo Use "ALTER EXTENSION socle UPDATE" to load this file. \quit

-- Documents: characters that a font does not tell are counted.
COMMENT ON FUNCTION socle.document_metadata(bytea, text, text) IS
    'what a file says about itself: media_type, title, author, language, created, modified, page_count, pages_without_text, unknown_characters';
