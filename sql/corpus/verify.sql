-- $1: size limit of files in bytes. Documents with pending changes are left out; those that were set aside are not.
WITH problem (problem, {key_names}, detail) AS (
    SELECT CASE WHEN d.document_hash IS NULL THEN 'missing' ELSE 'stale' END, {keys s},
           CASE WHEN d.document_hash IS NULL THEN 'no chunks were made of this document'
                ELSE 'the document has changed since its chunks were made' END
    FROM {source} s LEFT JOIN {document} d ON {same d s}
    WHERE CASE WHEN d.document_hash IS NULL THEN true ELSE d.document_hash <> {hash $1} END
    UNION ALL
    SELECT 'orphan', {keys d}, 'the source has no such row' FROM {document} d
    WHERE NOT EXISTS (SELECT FROM {source} s WHERE {same s d})
    UNION ALL
    SELECT 'damaged', {keys x}, format('%s chunks were made, %s are there', x.expected, x.found) FROM ({damaged}) AS x
    UNION ALL
    SELECT 'stray', {keys k}, 'a chunk of no document' FROM {chunk} k
    WHERE NOT EXISTS (SELECT FROM {document} d WHERE {same d k}) GROUP BY {keys k})
SELECT p.problem, p.detail, {keys p}
FROM problem p
WHERE NOT EXISTS (SELECT FROM {change} c WHERE {same c p} AND c.next_attempt_at < 'infinity')
  AND NOT EXISTS (SELECT FROM {change} c WHERE {first_key c} IS NULL)
  AND NOT EXISTS (SELECT FROM socle.missed_change m WHERE m.corpus = {name})
