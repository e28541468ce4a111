SELECT has_table_privilege($1, 'SELECT')
