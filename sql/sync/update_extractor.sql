-- Of chunks that stay when their document is read again.
UPDATE {chunk} k SET extractor = n.extractor
FROM unnest($1::bigint[], $2::text[]) AS n (chunk_id, extractor)
WHERE k.chunk_id = n.chunk_id AND k.extractor IS DISTINCT FROM n.extractor
