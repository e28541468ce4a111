-- The time up to which every change is in the chunks: that of the oldest change that is not. Without one, that of what
-- this snapshot sees: not later than the last commit that a standby has replayed, nor than the start of a transaction
-- that keeps its snapshot. And whether there is a change that is not.
SELECT least(coalesce(o.changed_at, statement_timestamp()),
             CASE WHEN current_setting('transaction_isolation') IN ('repeatable read', 'serializable') THEN now() END,
             CASE WHEN pg_is_in_recovery() THEN pg_last_xact_replay_timestamp() END),
       o.changed_at IS NOT NULL
FROM (SELECT least((SELECT c.changed_at FROM {change} c ORDER BY c.change_id LIMIT 1),
                   (SELECT min(m.missed_at) FROM socle.missed_change m WHERE m.corpus = {name})) AS changed_at) AS o
