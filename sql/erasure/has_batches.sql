SELECT EXISTS (SELECT FROM {change} c WHERE {first_key c} IS NULL AND c.batch_1 IS NOT NULL)
