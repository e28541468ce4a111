-- Whether each type "vector" that functions of socle take or return is that of pgvector.
SELECT NOT EXISTS (
    SELECT FROM pg_catalog.pg_proc p
    CROSS JOIN LATERAL pg_catalog.unnest(pg_catalog.array_append(p.proargtypes::pg_catalog.oid[], p.prorettype)) AS t (type_id)
    JOIN pg_catalog.pg_type y ON y.oid OPERATOR(pg_catalog.=) t.type_id AND y.typname OPERATOR(pg_catalog.=) 'vector'
    WHERE p.pronamespace OPERATOR(pg_catalog.=) 'socle'::pg_catalog.regnamespace
      AND NOT EXISTS (
          SELECT FROM pg_catalog.pg_depend d
          JOIN pg_catalog.pg_extension e ON e.oid OPERATOR(pg_catalog.=) d.refobjid AND e.extname OPERATOR(pg_catalog.=) 'vector'
          WHERE d.classid OPERATOR(pg_catalog.=) 'pg_catalog.pg_type'::pg_catalog.regclass
            AND d.objid OPERATOR(pg_catalog.=) t.type_id AND d.deptype OPERATOR(pg_catalog.=) 'e'))
