-- One row for a change, or for as many as a session has recorded at once: then their keys are in arrays until a worker
-- expands them. A row without any key requests a resync; what that finds is marked as compared. lease_pid is a random
-- number that the worker has drawn: process ids are used again. The log is updated and emptied all the time: free space
-- on its pages allows HOT updates.
CREATE TABLE {change} (
    change_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    xid xid8 NOT NULL DEFAULT pg_current_xact_id(),
    changed_at timestamptz NOT NULL DEFAULT now(),
    compared boolean NOT NULL DEFAULT false,
    {key_definitions},
    {batch_definitions},
    lease_id uuid,
    lease_pid integer,
    lease_until timestamptz,
    attempt_count integer NOT NULL DEFAULT 0,
    next_attempt_at timestamptz NOT NULL DEFAULT '-infinity',
    failed_at timestamptz,
    failed_step text,
    error_sqlstate text,
    error_message text
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.05);
CREATE INDEX ON {change} ({key_names});
-- For searches: the oldest row with many keys, and rows without any.
CREATE INDEX ON {change} (xid) WHERE batch_1 IS NOT NULL;
CREATE INDEX ON {change} (change_id) WHERE batch_1 IS NULL AND {first_key_name} IS NULL;
CREATE TABLE {document} (
    {key_definitions},
    document_hash bytea NOT NULL,
    chunk_count integer NOT NULL,
    language text,
    synced_at timestamptz NOT NULL,
    PRIMARY KEY ({key_names})
);
COMMENT ON TABLE {change} IS 'pending changes of the source; written only by socle';
COMMENT ON TABLE {document} IS 'documents of the source and the hash of what their chunks were created from; written only by socle';
