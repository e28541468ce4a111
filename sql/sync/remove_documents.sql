DELETE FROM {document} d USING {change} c WHERE c.change_id = ANY ($1) AND {same d c}
