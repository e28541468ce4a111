-- Matches documents to rows by the hash of what they were made from. $1: size limit of files in bytes.
WITH found (hash, number, {new_names}) AS (
    SELECT h.hash, row_number() OVER (PARTITION BY h.hash), {new_keys}
    FROM {source} s CROSS JOIN LATERAL (SELECT {hash $1} AS hash) AS h),
made AS (
    SELECT d.*, row_number() OVER (PARTITION BY d.document_hash) AS number FROM {document} d)
UPDATE {document} t SET ({new_names}) = ROW ({row_names})
FROM made m JOIN found r ON r.hash = m.document_hash AND r.number = m.number
WHERE {same t m}
