-- Tokens as the model gets them: prefix and special tokens included.
SELECT socle.count_tokens('', 'minilm') AS empty, socle.count_tokens('word', 'minilm') AS word,
       socle.count_tokens('[SEP]', 'minilm') AS special_tokens_are_text, socle.count_tokens(NULL, 'minilm') AS null;
SELECT name, socle.count_tokens('Die Größe der Datenbank wächst.', name) AS tokens FROM socle.model ORDER BY name;
SELECT * FROM error_of($$SELECT socle.count_tokens('word')$$);
SET socle.default_model = 'multilingual';
SELECT socle.count_tokens('données') = socle.count_tokens('données', 'multilingual') AS default_model;
RESET socle.default_model;
