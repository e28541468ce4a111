-- Documents of which the corpus that is to be replaced has chunks, and the one that is to replace it has none, because they
-- failed: how many were set aside after $2, how many are going to be tried again, and when the last one of the former failed.
-- $1: not counting files that cannot be read without recognition, which has been switched off.
SELECT json_build_object(
    'set_aside', count(*) FILTER (WHERE f.is_set_aside AND ($2 IS NULL OR f.failed_at > $2::timestamptz)),
    'tried_again', count(*) FILTER (WHERE NOT f.is_set_aside),
    'last', max(f.failed_at) FILTER (WHERE f.is_set_aside))::text
FROM (SELECT bool_and(c.next_attempt_at = 'infinity') AS is_set_aside, max(c.failed_at) AS failed_at
      FROM {change} c JOIN {old_document} d ON {same d c}
      WHERE c.failed_at IS NOT NULL AND NOT ($1 AND c.error_sqlstate = '0A000') AND d.chunk_count > 0
        AND NOT EXISTS (SELECT FROM {document} n WHERE {same n c})
      GROUP BY {keys c}) f
