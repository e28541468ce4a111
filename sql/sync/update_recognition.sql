-- Of chunks that stay when their document is read again.
UPDATE {chunk} k SET recognition_confidence = n.confidence
FROM unnest($1::bigint[], $2::real[]) AS n (chunk_id, confidence)
WHERE k.chunk_id = n.chunk_id AND k.recognition_confidence IS DISTINCT FROM n.confidence
