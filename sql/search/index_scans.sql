-- The vector indexes of the chunk table $1, and how often this transaction has scanned each. No rows unless that is
-- counted.
SELECT c.relname::text, coalesce(pg_stat_get_xact_numscans(c.oid), 0)
FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_am a ON a.oid = c.relam
WHERE i.indrelid = $1 AND a.amname IN ('hnsw', 'ivfflat') AND current_setting('track_counts')::boolean
