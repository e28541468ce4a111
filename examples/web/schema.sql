-- Tables, rights and corpora of the example. load.py runs it as a superuser, who then owns the tables; it can run again.
-- web_app, the role of the application, owns nothing and sees rows by row security alone.

DO $$
BEGIN
    -- No password here: give it one, or map an operating system user to it in pg_hba.conf.
    CREATE ROLE web_app LOGIN NOINHERIT;
EXCEPTION WHEN duplicate_object THEN
    NULL;
END
$$;
-- A question that takes longer is given up. An application that hangs in a transaction is disconnected.
ALTER ROLE web_app SET statement_timeout = '60s';
ALTER ROLE web_app SET idle_in_transaction_session_timeout = '60s';

CREATE SCHEMA IF NOT EXISTS web;
COMMENT ON SCHEMA web IS 'the example in examples/web';

CREATE TABLE IF NOT EXISTS web.tenant (
    name text PRIMARY KEY CHECK (name <> ''),
    title text NOT NULL
);
COMMENT ON TABLE web.tenant IS 'customers that share this database and do not see each other';

-- Knowledge base: Markdown. Rows without a tenant are for everybody.
CREATE TABLE IF NOT EXISTS web.article (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant text REFERENCES web.tenant,
    language text NOT NULL,
    title text NOT NULL,
    body text NOT NULL,
    UNIQUE NULLS NOT DISTINCT (tenant, title)
);

-- Customer support: what was asked, and what helped.
CREATE TABLE IF NOT EXISTS web.ticket (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant text NOT NULL REFERENCES web.tenant,
    language text NOT NULL,
    subject text NOT NULL,
    body text NOT NULL,
    resolution text,
    opened_on date NOT NULL,
    UNIQUE (tenant, subject)
);

-- Technical documentation: files, which socle turns into text. A name is unique for each tenant and not among all, so that
-- an upload never tells that another tenant has a file of that name.
CREATE TABLE IF NOT EXISTS web.file (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant text DEFAULT current_setting('web.tenant') REFERENCES web.tenant,
    file_name text NOT NULL,
    media_type text,
    data bytea NOT NULL,
    uploaded_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE NULLS NOT DISTINCT (tenant, file_name)
);

-- The application sets web.tenant for one transaction at a time. Without it, or with the empty text that a session has
-- after such a transaction, only what is for everybody is visible.
ALTER TABLE web.article ENABLE ROW LEVEL SECURITY;
ALTER TABLE web.ticket ENABLE ROW LEVEL SECURITY;
ALTER TABLE web.file ENABLE ROW LEVEL SECURITY;

DROP POLICY IF EXISTS of_tenant ON web.article;
CREATE POLICY of_tenant ON web.article FOR SELECT TO web_app
    USING (tenant IS NULL OR tenant = current_setting('web.tenant', true));
DROP POLICY IF EXISTS of_tenant ON web.ticket;
CREATE POLICY of_tenant ON web.ticket FOR SELECT TO web_app
    USING (tenant = current_setting('web.tenant', true));
DROP POLICY IF EXISTS of_tenant ON web.file;
CREATE POLICY of_tenant ON web.file FOR SELECT TO web_app
    USING (tenant IS NULL OR tenant = current_setting('web.tenant', true));
DROP POLICY IF EXISTS inserted_by_tenant ON web.file;
CREATE POLICY inserted_by_tenant ON web.file FOR INSERT TO web_app
    WITH CHECK (tenant = current_setting('web.tenant', true));
DROP POLICY IF EXISTS updated_by_tenant ON web.file;
CREATE POLICY updated_by_tenant ON web.file FOR UPDATE TO web_app
    USING (tenant = current_setting('web.tenant', true)) WITH CHECK (tenant = current_setting('web.tenant', true));

-- A format of its own for each: the chunks of Markdown know the headings above them.
SELECT socle.create_corpus('knowledge', source => 'web.article', content => ARRAY['body'], title => 'title',
    language_column => 'language', model => 'multilingual', max_tokens => 100, format => 'markdown', if_not_exists => true);
SELECT socle.create_corpus('support', source => 'web.ticket', content => ARRAY['body', 'resolution'], title => 'subject',
    language_column => 'language', model => 'multilingual', max_tokens => 150, if_not_exists => true);
SELECT socle.create_corpus('documentation', source => 'web.file', document => 'data', media_type => 'media_type',
    file_name => 'file_name', title => 'file_name', model => 'multilingual', max_tokens => 100, if_not_exists => true);

-- What is fresh and what waits. The counts of a corpus are for its owner; this shows them to the application, which needs
-- neither pg_monitor nor the keys in the change log for it.
CREATE OR REPLACE FUNCTION web.freshness() RETURNS TABLE (
    corpus text, state text, state_reason text, pending_count bigint, failed_count bigint, lag_seconds double precision)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT name, state, state_reason, pending_count, failed_count, extract(epoch FROM lag)::double precision
    FROM socle.corpus_status;
END;
COMMENT ON FUNCTION web.freshness IS 'state of the corpora: numbers only, no keys and no messages';

-- Messages may quote a document, and keys say that it exists: only those of the tenant itself.
CREATE OR REPLACE FUNCTION web.file_failure() RETURNS TABLE (id bigint, error_message text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT f.id, j.error_message
    FROM socle.job_failure AS j JOIN web.file AS f ON f.id = (j.source_key ->> 'id')::bigint
    WHERE j.corpus = 'documentation' AND f.tenant = current_setting('web.tenant', true);
END;
COMMENT ON FUNCTION web.file_failure IS 'files of the tenant that could not be read, and why';
REVOKE ALL ON FUNCTION web.freshness, web.file_failure FROM PUBLIC;

GRANT USAGE ON SCHEMA web TO web_app;
GRANT SELECT ON web.tenant, web.article, web.ticket, web.file TO web_app;
GRANT INSERT (file_name, media_type, data), UPDATE (media_type, data, uploaded_at) ON web.file TO web_app;
GRANT SELECT ON web.knowledge_chunk, web.support_chunk, web.documentation_chunk TO web_app;
GRANT EXECUTE ON FUNCTION web.freshness, web.file_failure TO web_app;

-- Where "make demo" has loaded the handbook of Debian into this database, the example shows it, too.
DO $$
BEGIN
    IF EXISTS (SELECT FROM socle.corpus WHERE name = 'handbook') AND to_regclass('public.handbook_chunk') IS NOT NULL THEN
        GRANT SELECT ON public.file, public.handbook_chunk TO web_app;
    END IF;
END
$$;
