-- The time up to which every change is in the chunks: when the oldest was made that is not.
SELECT coalesce((SELECT c.changed_at FROM {change} c ORDER BY c.change_id LIMIT 1), statement_timestamp())
