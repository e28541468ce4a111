-- The columns of table $1 that a filter may name: name, type for messages, type for casts (without a length, which
-- would cut or round values; the base type of a domain), 'array', 'json' or 'scalar', the category of the type (of its
-- elements for an array), the operators =, <>, <, <=, >, >= of the type (of jsonb for json), and ~~ and ~~* with a
-- text, NULL where it has none: the latter two only where they came with the type and are written in C, which only
-- superusers may use; the type for casts and its array type. Safe under any search_path.
WITH RECURSIVE base (attnum, type_id) AS (
    SELECT a.attnum, a.atttypid FROM pg_catalog.pg_attribute a
    WHERE a.attrelid OPERATOR(pg_catalog.=) $1 AND a.attnum OPERATOR(pg_catalog.>) 0 AND NOT a.attisdropped
    UNION ALL
    SELECT b.attnum, t.typbasetype FROM base b JOIN pg_catalog.pg_type t ON t.oid OPERATOR(pg_catalog.=) b.type_id
    WHERE t.typtype OPERATOR(pg_catalog.=) 'd'
), typed AS (
    SELECT b.attnum, t.*, t.typcategory OPERATOR(pg_catalog.=) 'A' AS is_array, n.nspname,
           t.oid OPERATOR(pg_catalog.=) ANY (ARRAY['pg_catalog.json', 'pg_catalog.jsonb']::pg_catalog.regtype[]) AS is_json
    FROM base b
    JOIN pg_catalog.pg_type t ON t.oid OPERATOR(pg_catalog.=) b.type_id AND t.typtype OPERATOR(pg_catalog.<>) 'd'
    JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) t.typnamespace
)
SELECT a.attname::pg_catalog.text, pg_catalog.format_type(a.atttypid, a.atttypmod),
       pg_catalog.format('%I.%I', t.nspname, t.typname),
       CASE WHEN t.is_array THEN 'array' WHEN t.is_json THEN 'json' ELSE 'scalar' END,
       CASE WHEN t.is_array THEN e.typcategory ELSE t.typcategory END::pg_catalog.text,
       o.equal, o.not_equal, o.less, o.less_or_equal, o.greater, o.greater_or_equal, l.likes, l.ilikes,
       t.oid, t.typarray
FROM typed t
JOIN pg_catalog.pg_attribute a ON a.attrelid OPERATOR(pg_catalog.=) $1 AND a.attnum OPERATOR(pg_catalog.=) t.attnum
LEFT JOIN pg_catalog.pg_type e ON e.oid OPERATOR(pg_catalog.=) t.typelem
-- As in GetDefaultOpClass: of the type itself, else of one that it is binary-coercible to, a preferred one first.
LEFT JOIN LATERAL (
    SELECT c.opcfamily, c.opcintype
    FROM pg_catalog.pg_opclass c
    JOIN pg_catalog.pg_am m ON m.oid OPERATOR(pg_catalog.=) c.opcmethod AND m.amname OPERATOR(pg_catalog.=) 'btree'
    JOIN pg_catalog.pg_type i ON i.oid OPERATOR(pg_catalog.=) c.opcintype
    WHERE c.opcdefault AND (
        c.opcintype OPERATOR(pg_catalog.=) t.oid
        OR t.is_json AND c.opcintype OPERATOR(pg_catalog.=) 'pg_catalog.jsonb'::pg_catalog.regtype
        OR c.opcintype OPERATOR(pg_catalog.=) CASE
            WHEN t.is_array THEN 'pg_catalog.anyarray'::pg_catalog.regtype
            WHEN t.typtype OPERATOR(pg_catalog.=) 'e' THEN 'pg_catalog.anyenum'::pg_catalog.regtype
            WHEN t.typtype OPERATOR(pg_catalog.=) 'r' THEN 'pg_catalog.anyrange'::pg_catalog.regtype
            WHEN t.typtype OPERATOR(pg_catalog.=) 'm' THEN 'pg_catalog.anymultirange'::pg_catalog.regtype
            WHEN t.typtype OPERATOR(pg_catalog.=) 'c' THEN 'pg_catalog.record'::pg_catalog.regtype END
        OR EXISTS (SELECT FROM pg_catalog.pg_cast k
                   WHERE k.castsource OPERATOR(pg_catalog.=) t.oid AND k.casttarget OPERATOR(pg_catalog.=) c.opcintype
                     AND k.castmethod OPERATOR(pg_catalog.=) 'b' AND k.castcontext OPERATOR(pg_catalog.=) 'i'))
    ORDER BY c.opcintype OPERATOR(pg_catalog.=) t.oid DESC, i.typispreferred DESC, c.oid LIMIT 1) AS f ON true
LEFT JOIN LATERAL (
    SELECT pg_catalog.max(p.name) FILTER (WHERE p.strategy OPERATOR(pg_catalog.=) 3) AS equal,
           pg_catalog.max(p.negator) FILTER (WHERE p.strategy OPERATOR(pg_catalog.=) 3) AS not_equal,
           pg_catalog.max(p.name) FILTER (WHERE p.strategy OPERATOR(pg_catalog.=) 1) AS less,
           pg_catalog.max(p.name) FILTER (WHERE p.strategy OPERATOR(pg_catalog.=) 2) AS less_or_equal,
           pg_catalog.max(p.name) FILTER (WHERE p.strategy OPERATOR(pg_catalog.=) 5) AS greater,
           pg_catalog.max(p.name) FILTER (WHERE p.strategy OPERATOR(pg_catalog.=) 4) AS greater_or_equal
    FROM (
        SELECT s.amopstrategy AS strategy, pg_catalog.format('OPERATOR(%I.%s)', n.nspname, o.oprname) AS name,
               CASE WHEN nn.oid IS NOT NULL THEN pg_catalog.format('OPERATOR(%I.%s)', nn.nspname, no.oprname) END AS negator
        FROM pg_catalog.pg_amop s
        JOIN pg_catalog.pg_operator o ON o.oid OPERATOR(pg_catalog.=) s.amopopr
        JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) o.oprnamespace
        LEFT JOIN pg_catalog.pg_operator no ON no.oid OPERATOR(pg_catalog.=) o.oprnegate
        LEFT JOIN pg_catalog.pg_namespace nn ON nn.oid OPERATOR(pg_catalog.=) no.oprnamespace
        WHERE s.amopfamily OPERATOR(pg_catalog.=) f.opcfamily AND s.amoppurpose OPERATOR(pg_catalog.=) 's'
          AND s.amoplefttype OPERATOR(pg_catalog.=) f.opcintype AND s.amoprighttype OPERATOR(pg_catalog.=) f.opcintype
    ) AS p) AS o ON true
LEFT JOIN LATERAL (
    SELECT pg_catalog.max(x.name) FILTER (WHERE x.oprname OPERATOR(pg_catalog.=) '~~') AS likes,
           pg_catalog.max(x.name) FILTER (WHERE x.oprname OPERATOR(pg_catalog.=) '~~*') AS ilikes
    FROM (
        SELECT o.oprname, pg_catalog.format('OPERATOR(%I.%s)', t.nspname, o.oprname) AS name
        FROM pg_catalog.pg_operator o
        JOIN pg_catalog.pg_proc p ON p.oid OPERATOR(pg_catalog.=) o.oprcode
        JOIN pg_catalog.pg_language g ON g.oid OPERATOR(pg_catalog.=) p.prolang
        WHERE o.oprleft OPERATOR(pg_catalog.=) t.oid AND o.oprright OPERATOR(pg_catalog.=) 'pg_catalog.text'::pg_catalog.regtype
          AND o.oprnamespace OPERATOR(pg_catalog.=) t.typnamespace AND o.oprowner OPERATOR(pg_catalog.=) t.typowner
          AND g.lanname OPERATOR(pg_catalog.=) ANY (ARRAY['c', 'internal'])
    ) AS x) AS l ON true
ORDER BY t.attnum
