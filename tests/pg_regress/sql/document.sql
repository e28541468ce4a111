-- Text of files: what the bytes say counts, structure is kept, and what cannot be read says why.
SELECT ordinal, page, heading_path, kind, content
FROM socle.extract(convert_to('<html lang="fr"><title>Guide</title><h1>Sauvegardes</h1><p>Arrêtez le serveur.</p><h2>Ordre</h2><ol><li>un<li>deux</ol>'
    || '<table><tr><th>Jour<th>Heure<tr><td>lundi<td>8</table><pre>cp -a data backup</pre><script>x()</script>', 'UTF8'));
SELECT socle.document_metadata(convert_to('<html lang="fr"><title>Guide</title><p>Arrêtez.', 'UTF8'));
SELECT socle.extract_text(convert_to(E'Zażółć gęślą jaźń.\n\nPchnąć w tę łódź jeża lub ośm skrzyń fig.', 'LATIN2'));
SELECT content FROM socle.extract(convert_to(E'Name;Ort\nMüller;Köln\nBłażej;Łódź', 'UTF8'), 'text/csv');
SELECT kind, content FROM socle.extract(convert_to(E'# Titel\n\n- eins\n- zwei', 'UTF8'), file_name => 'lies.md');
SELECT content FROM socle.extract(convert_to(E'Subject: Bonjour\nFrom: a@example.org\nContent-Type: text/plain\n\nÀ demain.\n', 'UTF8'));

-- NULL is nothing, hints may be wrong.
SELECT socle.extract_text(NULL) IS NULL AS text, socle.document_metadata(NULL) IS NULL AS metadata, (SELECT count(*) FROM socle.extract(NULL)) AS rows;
SELECT socle.extract_text('plain words', 'application/pdf', 'x.docx');

SELECT * FROM error_of($$SELECT socle.extract_text('')$$);
SELECT * FROM error_of($$SELECT socle.extract_text('\x89504e470d0a1a0a0000000d49484452')$$);
SELECT * FROM error_of($$SELECT socle.extract_text('\x7f454c4602010100')$$);
SELECT code, message FROM error_of($$SELECT socle.extract_text('%PDF-1.7 and no more')$$);
SET socle.max_document_bytes = 10;
SELECT * FROM error_of($$SELECT socle.extract_text('eleven byte')$$);
RESET socle.max_document_bytes;
SET socle.max_input_bytes = 10;
SELECT * FROM error_of($$SELECT socle.extract_text('eleven byte')$$);
RESET socle.max_input_bytes;
SELECT code FROM error_of($$SET socle.extract_timeout = 0$$);
-- The planner takes it for what it is.
SELECT count(*) FROM generate_series(1, 3) i WHERE socle.extract_text(convert_to('row ' || i, 'UTF8')) LIKE '%2';
