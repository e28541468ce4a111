-- Replaces the old key by the new one. Changes logged by the old one are found by the resync.
ALTER TABLE {chunk} {drop_columns};
ALTER TABLE {document} {drop_columns};
ALTER TABLE {change} {drop_columns}, {drop_batches};
{rename_columns}
ALTER TABLE {chunk} {set_not_null};
ALTER TABLE {document} ADD PRIMARY KEY ({key_names});
ALTER TABLE {change} {add_keys}, {add_batches};
CREATE INDEX ON {chunk} ({key_names}, ordinal);
CREATE INDEX ON {change} ({key_names});
CREATE INDEX ON {change} (xid) WHERE batch_1 IS NOT NULL;
CREATE INDEX ON {change} (change_id) WHERE batch_1 IS NULL AND {first_key_name} IS NULL;
