DELETE FROM {chunk} k USING {change} c WHERE c.change_id = ANY ($1) AND {same k c}
