-- When the oldest change was made that is not in the chunks.
SELECT c.changed_at FROM {change} c ORDER BY c.change_id LIMIT 1
