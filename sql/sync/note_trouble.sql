-- Records why the corpus with change log $4 is not worked on: for the moment, or, with $3, until its owner acts. NULL:
-- there is no reason any more. A corpus that has been paused meanwhile stays as it is.
UPDATE socle.corpus AS c SET state = CASE WHEN $3 THEN 'broken' ELSE c.state END, state_reason = $2
FROM socle.corpus_binding b
WHERE c.name = $1 AND b.corpus = c.name AND b.change = $4 AND c.state IN ('filling', 'active')
