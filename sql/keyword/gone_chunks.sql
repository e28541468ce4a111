-- The chunks among $1 that have been deleted.
SELECT n.chunk_id FROM unnest($1::bigint[]) AS n (chunk_id) WHERE NOT EXISTS (SELECT FROM {chunk} k WHERE k.chunk_id = n.chunk_id)
