-- The time up to which every change is in the chunks: when the oldest was made that is not. And whether there is one.
SELECT coalesce(o.changed_at, statement_timestamp()), o.changed_at IS NOT NULL
FROM (VALUES (0)) AS n LEFT JOIN (SELECT c.changed_at FROM {change} c ORDER BY c.change_id LIMIT 1) AS o ON true
