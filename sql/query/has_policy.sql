SELECT EXISTS (SELECT FROM pg_policy p WHERE p.polrelid = $1 AND p.polname = 'socle_source_row')
