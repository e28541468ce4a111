CREATE INDEX CONCURRENTLY {index_name} ON {chunk} USING hnsw ({index_expression}) WITH (m = {hnsw_m},
    ef_construction = {hnsw_ef_construction})
