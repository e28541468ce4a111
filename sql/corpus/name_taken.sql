-- Whether there is a corpus $1, or in schema $2 a relation with a name that its tables would have.
SELECT EXISTS (SELECT FROM socle.corpus c WHERE c.name = $1)
    OR EXISTS (SELECT FROM pg_class r JOIN pg_namespace n ON n.oid = r.relnamespace
               WHERE n.nspname = $2 AND r.relname IN ($1 || '_chunk', $1 || '_change', $1 || '_document'))
