SELECT relid::oid FROM pg_partition_tree($1) UNION SELECT $1
