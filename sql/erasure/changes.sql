DELETE FROM {change} k WHERE {is_it} RETURNING k.change_id
