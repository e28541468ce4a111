-- What waits of corpus $1, its vector index included, and its documents. Not its replacement: that waits for whoever reads
-- its tables, and so for this very transaction.
SELECT (SELECT count(*) FROM {change} c WHERE c.next_attempt_at < 'infinity')
           + (SELECT count(*) FROM socle.corpus c WHERE c.name = $1 AND c.state = 'filling'),
       (SELECT count(*) FROM {document})
