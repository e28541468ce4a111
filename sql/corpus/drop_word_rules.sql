-- Drops the rules of a corpus whose term is one of $2, or that have no other replacements; returns how many.
WITH gone AS (
    DELETE FROM socle.corpus_word_rule
    WHERE corpus = $1 AND ($3 IS NULL OR kind = $3)
      AND ($2 IS NULL OR term = ANY ($2) OR (kind = 'synonym' AND replacements <@ $2))
    RETURNING 1)
SELECT count(*) FROM gone
