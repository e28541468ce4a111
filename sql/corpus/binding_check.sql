-- What corpora $1 depend on, in its current state; see src/corpus/binding_check.rs.
SELECT jsonb_build_object(
    'name', c.name, 'state', c.state, 'key_holds', b.key_holds,
    -- To deparse the expression of an open policy, Postgres would have to lock the source.
    'closed', EXISTS (SELECT FROM pg_policy p WHERE p.polrelid = b.chunk AND p.polname = 'socle_source_row'
                      AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_policy'::regclass AND d.objid = p.oid
                                      AND d.refclassid = 'pg_class'::regclass AND d.refobjid = b.source)),
    'has_policy', EXISTS (SELECT FROM pg_policy p WHERE p.polrelid = b.chunk AND p.polname = 'socle_source_row'),
    'told_apart', NOT EXISTS (SELECT FROM pg_attribute a
                              WHERE a.attrelid = b.source AND a.attnum = ANY (b.key_numbers) AND NOT a.attnotnull)
        AND EXISTS (
            SELECT FROM pg_index i JOIN pg_class x ON x.oid = i.indexrelid JOIN pg_am m ON m.oid = x.relam
            WHERE i.indrelid = b.source AND i.indisunique AND i.indisvalid AND m.amname = 'btree'
              AND i.indpred IS NULL AND i.indexprs IS NULL AND i.indnkeyatts = cardinality(b.key_numbers)
              AND NOT EXISTS (
                  SELECT FROM unnest(i.indkey::smallint[], i.indclass::oid[]) WITH ORDINALITY AS k (attnum, opclass, position)
                  JOIN pg_opclass oc ON oc.oid = k.opclass
                  JOIN pg_amop p ON p.amopfamily = oc.opcfamily AND p.amopstrategy = 3
                      AND p.amoplefttype = oc.opcintype AND p.amoprighttype = oc.opcintype
                  JOIN pg_operator o ON o.oid = p.amopopr JOIN pg_namespace n ON n.oid = o.oprnamespace
                  WHERE k.position <= i.indnkeyatts
                    AND format('OPERATOR(%I.%s)', n.nspname, o.oprname)
                        IS DISTINCT FROM c.key_operators[array_position(b.key_numbers, k.attnum)])),
    'primary_key', (SELECT string_agg(quote_ident(a.attname), ', ' ORDER BY k.position)
                    FROM pg_index i CROSS JOIN LATERAL unnest(i.indkey::smallint[]) WITH ORDINALITY AS k (attnum, position)
                    JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum
                    WHERE i.indrelid = b.source AND i.indisprimary AND k.position <= i.indnkeyatts),
    'types', socle_internal.column_types(b.source, b.key_numbers),
    'chunk_types', socle_internal.column_types(b.chunk, socle_internal.column_numbers(b.chunk, c.chunk_key_columns)),
    'change_types', socle_internal.column_types(b.change, socle_internal.column_numbers(b.change, c.chunk_key_columns)),
    'document_types', socle_internal.column_types(b.document, socle_internal.column_numbers(b.document, c.chunk_key_columns)),
    'heir', (SELECT min(h.inhrelid::regclass::text) FROM pg_inherits h JOIN pg_class s ON s.oid = h.inhparent
             WHERE h.inhparent = b.source AND s.relkind = 'r'),
    'has_trigger', EXISTS (SELECT FROM pg_trigger g WHERE g.tgrelid = b.source
        AND g.tgfoid = 'socle._capture_change()'::regprocedure
                           AND g.tgtype & 1 = 1 AND g.tgargs = convert_to(c.name, 'UTF8') || decode('00', 'hex')),
    'turned', (SELECT coalesce(array_agg(format('ALTER TABLE %s ENABLE ALWAYS TRIGGER %I', g.tgrelid::regclass, g.tgname)), '{}')
               FROM (SELECT relid FROM pg_partition_tree(b.source) UNION SELECT b.source) AS t
               JOIN pg_trigger g ON g.tgrelid = t.relid
               WHERE g.tgfoid = 'socle._capture_change()'::regprocedure AND g.tgargs = convert_to(c.name, 'UTF8') || decode('00', 'hex')
                 AND g.tgenabled = 'O'))::text
FROM socle.corpus c JOIN socle.corpus_binding b ON b.corpus = c.name
WHERE b.corpus = ANY ($1) ORDER BY b.corpus
