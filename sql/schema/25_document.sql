-- Text of files. Each file is read by a process of its own outside the server, which ends with it; settings limit its
-- time, its memory and its text. media_type and file_name are hints: the contents decide.

CREATE FUNCTION socle.extract(document bytea, media_type text DEFAULT NULL, file_name text DEFAULT NULL, ocr text DEFAULT NULL)
RETURNS TABLE (ordinal integer, page integer, heading_path text[], kind text, content text)
LANGUAGE c STABLE PARALLEL SAFE COST 100000 ROWS 100
AS 'MODULE_PATHNAME', 'extract_wrapper';
COMMENT ON FUNCTION socle.extract IS
    'headings, paragraphs, lists, tables and code of a file as markdown, with the page, slide or sheet each begins on';

CREATE FUNCTION socle.extract_text(document bytea, media_type text DEFAULT NULL, file_name text DEFAULT NULL, ocr text DEFAULT NULL)
RETURNS text
LANGUAGE c STABLE PARALLEL SAFE COST 100000
AS 'MODULE_PATHNAME', 'extract_text_wrapper';
COMMENT ON FUNCTION socle.extract_text IS 'the whole text of a file as markdown';

CREATE FUNCTION socle.document_metadata(document bytea, media_type text DEFAULT NULL, file_name text DEFAULT NULL, ocr text DEFAULT NULL)
RETURNS jsonb
LANGUAGE c STABLE PARALLEL SAFE COST 100000
AS 'MODULE_PATHNAME', 'document_metadata_wrapper';
COMMENT ON FUNCTION socle.document_metadata IS
    'what a file says about itself: media_type, title, author, language, created, modified, page_count, pages_without_text, unknown_characters, unread_pictures, incomplete; and what was recognised in pictures: pages_recognized, recognition_confidence, unsure_pages, unread_stamps, recognition_languages, missing_letters, recognition_model';

CREATE PROCEDURE socle.import_directory(
    target regclass, directory text, pattern text DEFAULT '**', remove_missing boolean DEFAULT false
)
LANGUAGE c
AS 'MODULE_PATHNAME', 'import_directory_wrapper';
COMMENT ON PROCEDURE socle.import_directory IS
    'imports new and changed files of a directory below socle.import_directories into a table, and commits while it runs; pattern: * and ? within a name, ** across directories; only a dot matches a leading dot';
