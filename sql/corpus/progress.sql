-- What is pending for corpus $1, its indexes and its replacement included, and the number of its documents.
SELECT (SELECT count(*) FROM {change} c WHERE c.next_attempt_at < 'infinity')
           + (SELECT count(*) FROM socle.missed_change m WHERE m.corpus = $1)
           + (SELECT count(*) FROM socle.corpus c WHERE (c.name = $1 AND c.state = 'filling') OR c.replaces = $1)
           + (SELECT count(*) FROM socle.corpus_binding b WHERE b.corpus = $1 AND b.keyword_missing_count > 0),
       (SELECT count(*) FROM {document})
