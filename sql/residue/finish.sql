UPDATE socle.erasure e
SET state = 'done', state_reason = NULL, finished_at = clock_timestamp(), rewritten_segments = $3, cleared_pages = $4, removed_files = $5
WHERE e.corpus = $1 AND e.state = 'pending' AND e.xid = ANY ($2::xid8[])
