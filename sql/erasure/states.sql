SELECT s.corpus, s.state, s.state_reason FROM socle.erasure_status s
WHERE s.erasure = $1 AND s.state <> 'done' AND EXISTS (SELECT FROM socle.corpus c WHERE c.name = s.corpus) ORDER BY s.corpus
