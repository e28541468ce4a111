-- Whether the lease $2 holds for all changes $1, and no document of them has been deleted since they were claimed: a newer
-- change says so.
SELECT (SELECT count(*) FROM {change} c WHERE c.change_id = ANY ($1) AND c.lease_id = $2 AND c.lease_until >= clock_timestamp()) = cardinality($1)
    AND NOT EXISTS (SELECT FROM {change} c JOIN {change} n ON {same n c} AND n.change_id <> ALL ($1)
        WHERE c.change_id = ANY ($1) AND NOT EXISTS (SELECT FROM {source} s WHERE {same s c})) AS wanted
