-- Locks the documents of a lease that still holds, until the transaction ends.
SELECT c.change_id FROM {change} c
WHERE c.change_id = ANY ($1) AND c.lease_id = $2 AND c.lease_until >= clock_timestamp() FOR UPDATE
