SELECT a.atttypid FROM pg_attribute a WHERE a.attrelid = $1 AND a.attname = 'embedding'
