INSERT INTO {change} ({first_key_name}) SELECT NULL WHERE NOT EXISTS (SELECT FROM {change} c WHERE {first_key c} IS NULL AND c.batch_1 IS NULL)
