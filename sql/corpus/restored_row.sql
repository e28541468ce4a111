-- The row $1 of socle.corpus as a corpus that is not bound yet.
SELECT (to_jsonb($1) || jsonb_build_object('partitioned', false, 'keyword_missing_count', 0, 'filled_to', '',
                                           'bound', false, 'key_holds', true))::text
