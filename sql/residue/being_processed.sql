-- Whether the change log still has what transactions $1 have changed, or anything of a document that is gone.
SELECT EXISTS (SELECT FROM {change} c WHERE c.xid = ANY ($1::xid8[]))
