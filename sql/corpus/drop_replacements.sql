-- Takes the words $2 out of the replacements that are left; returns of how many rules.
WITH changed AS (
    UPDATE socle.corpus_word_rule
    SET replacements = ARRAY(SELECT x.word FROM unnest(replacements) AS x (word) WHERE x.word <> ALL ($2))
    WHERE corpus = $1 AND ($3 IS NULL OR kind = $3) AND replacements && $2
    RETURNING 1)
SELECT count(*) FROM changed
