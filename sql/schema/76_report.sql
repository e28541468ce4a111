-- One look: what leaves this server, what the kernel enforces, what the answers rest on. For members of pg_read_all_stats, as
-- pg_monitor is. One function has the rows; the others put them into JSON and Markdown.

CREATE FUNCTION socle_internal.process_report() RETURNS TABLE (
    pid integer, parent integer, name text, seccomp text, no_new_privileges boolean, internet_sockets bigint,
    outgoing_connections bigint
)
LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE COST 10000 ROWS 30 SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'process_report_wrapper';
COMMENT ON FUNCTION socle_internal.process_report IS 'the processes of this server, as the kernel has them at the moment; for members of pg_read_all_stats';

CREATE FUNCTION socle_internal.markdown_cell(value text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE COST 10 SET search_path = pg_catalog, pg_temp
AS $$
    SELECT regexp_replace(regexp_replace(coalesce(value, ''), '[\r\n\t]+', ' ', 'g'), '([\\|`*_<>\[\]])', '\\\1', 'g')
$$;
COMMENT ON FUNCTION socle_internal.markdown_cell IS 'a text that means nothing but itself in a cell of a table in Markdown';

CREATE FUNCTION socle.sovereignty_findings() RETURNS TABLE (
    area text, subject text, property text, value text, attention boolean
)
LANGUAGE sql VOLATILE PARALLEL UNSAFE COST 100000 ROWS 100 SET search_path = pg_catalog, pg_temp
AS $$
WITH process AS MATERIALIZED (SELECT * FROM socle_internal.process_report()),
-- What the three processes say of themselves; their children are theirs.
own (subject, report) AS MATERIALIZED (
    VALUES ('engine', socle.engine_report()), ('generator', socle.generator_report()), ('egress process', socle.endpoint_report())),
confined AS (
    SELECT o.subject || CASE WHEN p.pid = m.pid THEN '' ELSE format(', %s (%s)', p.name, p.pid) END AS subject, o.subject AS program,
           p.pid = m.pid AS is_main, o.report, p.*
    FROM own o CROSS JOIN LATERAL (SELECT (o.report ->> 'pid')::integer AS pid) AS m
    JOIN process p ON p.pid = m.pid OR p.parent = m.pid OR p.parent IN (SELECT f.pid FROM process f WHERE f.parent = m.pid)),
-- The ledger, for those who may read it.
reader AS (SELECT has_table_privilege('socle.ledger', 'SELECT') AS may_read),
entry AS MATERIALIZED (
    SELECT e.number, e.at, e.kind, e.role, e.body::jsonb -> 'data' ->> 'corpus' AS corpus
    FROM reader r CROSS JOIN LATERAL (SELECT l.* FROM socle_internal.ledger_entries() AS l WHERE r.may_read) AS e
    WHERE r.may_read AND e.is_current AND e.database = current_database()),
granted AS (
    SELECT g.endpoint, string_agg(CASE WHEN g.role = 0 THEN 'everybody' ELSE g.role::text END, ', ' ORDER BY g.role::text) AS roles
    FROM socle.endpoint_grant g GROUP BY g.endpoint),
found (position, area, subject, property, value, attention) AS (
    SELECT 1, 'server', 'server', v.property, v.value, false
    FROM (VALUES ('time', to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')),
                 ('database', current_database()::text), ('asked by', session_user::text),
                 ('PostgreSQL', current_setting('server_version')), ('socle', socle.version()),
                 ('role', CASE WHEN pg_is_in_recovery() THEN 'standby' ELSE 'primary' END)) AS v (property, value)
    UNION ALL
    SELECT 1, 'server', 'settings', s.name, CASE WHEN s.setting = '' THEN '(none)' ELSE s.setting END, false
    FROM pg_settings s WHERE s.name LIKE 'socle.%' AND s.name ~ '(director|ledger|signed|_keys)'
    UNION ALL
    SELECT 2, 'processes', o.subject, 'state', coalesce(o.report ->> 'state', 'unknown'), (o.report ->> 'state') = 'unavailable' FROM own o
    UNION ALL
    SELECT 2, 'processes', c.subject, v.property, v.value, v.attention
    FROM confined c CROSS JOIN LATERAL (VALUES
        ('process', c.pid::text, false),
        ('system calls (kernel)', coalesce('seccomp: ' || c.seccomp, 'not readable'), c.seccomp IS DISTINCT FROM 'filter'),
        ('new privileges (kernel)', CASE WHEN c.no_new_privileges THEN 'refused' WHEN NOT c.no_new_privileges THEN 'possible' ELSE 'not readable' END,
         c.no_new_privileges IS NOT TRUE),
        ('internet sockets (kernel)', coalesce(c.internet_sockets::text, 'not readable'),
         c.internet_sockets IS NULL OR (c.program <> 'egress process' AND c.internet_sockets > 0)),
        ('network (its own word)', CASE WHEN c.is_main THEN c.report ->> 'network' END, c.is_main AND c.program <> 'egress process' AND coalesce(c.report ->> 'network', '') !~ '^closed'),
        ('files (its own word)', CASE WHEN c.is_main THEN c.report ->> 'files' END, c.is_main AND coalesce(c.report ->> 'files', '') ~ '^open'))
        AS v (property, value, attention)
    WHERE c.is_main OR v.property !~ 'its own word'
    UNION ALL
    SELECT 2, 'processes', 'PostgreSQL and socle workers', v.property, v.value, false
    FROM (SELECT count(*) AS processes, sum(p.internet_sockets) AS sockets, sum(p.outgoing_connections) AS outgoing,
                 count(*) FILTER (WHERE p.internet_sockets IS NULL) AS unreadable
          FROM process p WHERE p.pid NOT IN (SELECT c.pid FROM confined c)) AS s
    CROSS JOIN LATERAL (VALUES ('processes', s.processes::text), ('internet sockets (kernel)', s.sockets::text),
        ('outgoing connections (kernel)', s.outgoing::text), ('processes that cannot be read', s.unreadable::text)) AS v (property, value)
    UNION ALL
    SELECT 3, 'doors', '(none)', 'state', 'shut: no endpoint is registered in this database', false
    WHERE NOT EXISTS (SELECT FROM socle.endpoint)
    UNION ALL
    SELECT 3, 'doors', e.name, v.property, v.value, v.attention
    FROM socle.endpoint e LEFT JOIN granted g ON g.endpoint = e.name
    LEFT JOIN socle.endpoint_status s ON s.name = e.name
    CROSS JOIN LATERAL (VALUES
        ('open to', e.url, true), ('model there', e.model, false),
        ('may be used by', 'superusers' || coalesce(', ' || g.roles, ''), coalesce(g.roles LIKE '%everybody%', false)),
        ('may be sent passages of', coalesce((SELECT string_agg(c.name, ', ' ORDER BY c.name) FROM socle.corpus c
            WHERE e.name = ANY (c.egress)), 'no corpus'), false),
        ('addresses', concat_ws(', ', 'public', CASE WHEN e.allow_private THEN 'private' END, CASE WHEN e.allow_loopback THEN 'this machine' END), false),
        ('registered', format('%s by %s', to_char(e.registered_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'), e.registered_by), false),
        ('requests since its process started', s.request_count::text, false),
        ('bytes sent since then', s.sent_bytes::text, false)) AS v (property, value, attention)
    UNION ALL
    SELECT 4, 'doors of others', x.extname, 'extension that can connect elsewhere or run programs', x.extversion, true
    FROM pg_extension x
    WHERE x.extname ~ '^(dblink|postgres_fdw|file_fdw|http|pg_net|plpython3u|plperlu|pltclu|plsh|.*_fdw)$'
    UNION ALL
    SELECT 4, 'doors of others', s.srvname, 'foreign server', coalesce(array_to_string(s.srvoptions, ', '), ''), true FROM pg_foreign_server s
    UNION ALL
    SELECT 4, 'doors of others', p.pubname, 'publication', CASE WHEN p.puballtables THEN 'all tables' ELSE 'some tables' END, true FROM pg_publication p
    UNION ALL
    SELECT 4, 'doors of others', s.slot_name, 'replication slot', concat_ws(', ', s.slot_type, s.plugin, CASE WHEN s.active THEN 'active' ELSE 'inactive' END), true
    FROM pg_replication_slots s
    UNION ALL
    SELECT 4, 'doors of others', r.application_name, 'connection that receives WAL, and with it all texts',
           concat_ws(', ', coalesce(host(r.client_addr), 'this machine'), r.state), true
    FROM pg_stat_replication r
    UNION ALL
    SELECT 4, 'doors of others', s.subname, 'subscription, which connects to another server', CASE WHEN s.subenabled THEN 'enabled' ELSE 'disabled' END, true
    FROM pg_subscription s JOIN pg_database d ON d.oid = s.subdbid WHERE d.datname = current_database()
    UNION ALL
    SELECT 4, 'doors of others', s.name, 'program or library that receives WAL, and with it all texts', 'set', true
    FROM pg_settings s WHERE s.name IN ('archive_command', 'archive_library') AND s.setting NOT IN ('', '(disabled)')
    UNION ALL
    SELECT 5, 'models', m.name, v.property, v.value, v.attention
    FROM (SELECT m.name, m.kind, m.license, m.digest, coalesce('none here: it runs on endpoint ' || m.endpoint, m.directory) AS files,
                 m.package, m.registered_at, m.registered_by
          FROM socle.model m
          UNION ALL
          SELECT g.name, 'generator', g.license, g.digest, g.file, g.package, g.registered_at, g.registered_by FROM socle.generator g) AS m
    LEFT JOIN socle.model_package p ON p.sha256 = m.package
    LEFT JOIN socle.trusted_key t ON t.public_key = p.public_key
    CROSS JOIN LATERAL (VALUES
        ('kind', m.kind, false), ('licence', coalesce(m.license, 'not stated'), m.license IS NULL), ('digest', m.digest, false), ('files', m.files, false),
        ('signature', coalesce('vouched for by ' || t.name, 'nobody vouches for it'), t.name IS NULL AND current_setting('socle.require_signed_models') = 'on'),
        ('registered', format('%s by %s', to_char(m.registered_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'), m.registered_by), false))
        AS v (property, value, attention)
    UNION ALL
    SELECT 6, 'corpora', c.name, v.property, v.value, v.attention
    FROM socle.corpus_status c JOIN socle.corpus d ON d.name = c.name
    LEFT JOIN pg_namespace n ON n.nspname = d.chunk_schema
    LEFT JOIN pg_class k ON k.relnamespace = n.oid AND k.relname = d.chunk_table
    CROSS JOIN LATERAL (VALUES
        ('owner', k.relowner::regrole::text, false), ('source', c.source, false),
        ('state', concat_ws(': ', c.state, c.state_reason), c.state IN ('paused', 'broken')),
        ('model', format('%s, digest %s', d.model, d.model_digest), NOT EXISTS (SELECT FROM socle.model m WHERE m.name = d.model AND m.digest = d.model_digest)),
        ('may be sent to', coalesce(nullif(array_to_string(d.egress, ', '), ''), 'nobody'), d.egress <> '{}')) AS v (property, value, attention)
    UNION ALL
    SELECT 7, 'ledger', 'ledger', v.property, coalesce(v.value, '(none)'), v.attention
    FROM (SELECT socle_internal.ledger_report() AS report) AS l CROSS JOIN LATERAL (VALUES
        ('state', concat_ws(': ', l.report ->> 'state', l.report ->> 'state_reason'), (l.report ->> 'state') IN ('failed', 'unreadable')),
        ('recording (socle.ledger)', current_setting('socle.ledger', true), current_setting('socle.ledger', true) IS DISTINCT FROM 'on'),
        ('texts of questions and answers (socle.ledger_text)', current_setting('socle.ledger_text', true), false),
        ('chain', l.report ->> 'chain', false), ('entries', (l.report ->> 'first_number') || ' to ' || (l.report ->> 'last_number'), false),
        ('last entry', l.report ->> 'last_at', false), ('bytes', l.report ->> 'bytes', false)) AS v (property, value, attention)
    UNION ALL
    SELECT 7, 'ledger', 'last entries', format('entry %s', e.number),
           format('%s: %s by %s', to_char(e.at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'), e.kind, e.role), false
    FROM (SELECT * FROM entry ORDER BY number DESC LIMIT 5) AS e
    UNION ALL
    SELECT 7, 'ledger', 'last entries', 'not shown', 'the caller has no SELECT on socle.ledger', true FROM reader r WHERE NOT r.may_read
    UNION ALL
    SELECT 9, 'unverified', c.name, 'compared with its source by socle.verify_corpus()',
           CASE WHEN NOT r.may_read THEN 'not known: the caller has no SELECT on socle.ledger'
                ELSE coalesce('last ' || to_char(v.at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'), 'never, as far as the ledger goes') END,
           coalesce(v.at < clock_timestamp() - interval '30 days', true)
    FROM socle.corpus c CROSS JOIN reader r
    LEFT JOIN (SELECT e.corpus, max(e.at) AS at FROM entry e WHERE e.kind = 'verify_corpus' GROUP BY e.corpus) AS v ON v.corpus = c.name
    UNION ALL
    SELECT 9, 'unverified', e.corpus, 'imported', format('%s: vectors are believed to be of the model that the manifest names',
        to_char(e.at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')), true
    FROM entry e WHERE e.kind = 'import_corpus' AND e.corpus IS NOT NULL
    UNION ALL
    SELECT 8, 'erasures', e.corpus, 'pending since ' || to_char(e.requested_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'), e.state_reason, true
    FROM socle.erasure_status e WHERE e.state = 'pending')
SELECT f.area, f.subject, f.property, f.value, coalesce(f.attention, false) FROM found f
ORDER BY f.position, f.subject, f.attention DESC, f.property
$$;
COMMENT ON FUNCTION socle.sovereignty_findings IS
    'what leaves this server and to whom, what the kernel enforces for each process, models and corpora, with what deserves attention; for members of pg_read_all_stats';

CREATE FUNCTION socle.sovereignty_report() RETURNS jsonb
LANGUAGE sql VOLATILE PARALLEL UNSAFE COST 100000 SET search_path = pg_catalog, pg_temp
AS $$
WITH finding AS MATERIALIZED (SELECT * FROM socle.sovereignty_findings()),
subject AS (
    SELECT f.area, f.subject, jsonb_object_agg(f.property, f.value) AS properties FROM finding f GROUP BY f.area, f.subject),
area AS (SELECT s.area, jsonb_object_agg(s.subject, s.properties) AS subjects FROM subject s GROUP BY s.area)
SELECT jsonb_build_object(
    'version', 1,
    'areas', (SELECT jsonb_object_agg(a.area, a.subjects) FROM area a),
    'attention', coalesce((SELECT jsonb_agg(jsonb_build_object('area', f.area, 'subject', f.subject, 'property', f.property, 'value', f.value))
                           FROM finding f WHERE f.attention), '[]'))
$$;
COMMENT ON FUNCTION socle.sovereignty_report IS 'the findings of socle.sovereignty_findings() as JSON: by area and subject, and those that deserve attention';

CREATE FUNCTION socle.sovereignty_report_markdown() RETURNS text
LANGUAGE sql VOLATILE PARALLEL UNSAFE COST 100000 SET search_path = pg_catalog, pg_temp
AS $$
WITH finding AS MATERIALIZED (SELECT f.*, row_number() OVER () AS number FROM socle.sovereignty_findings() AS f),
line AS (
    SELECT f.area, min(f.number) OVER (PARTITION BY f.area) AS first, f.number,
           format('| %s | %s | %s | %s |', socle_internal.markdown_cell(f.subject), socle_internal.markdown_cell(f.property),
                  socle_internal.markdown_cell(f.value), CASE WHEN f.attention THEN '**!**' ELSE '' END) AS text
    FROM finding f),
section AS (
    SELECT l.first, format(E'## %s\n\n| subject | property | value | attention |\n|---|---|---|---|\n%s',
                           upper(left(l.area, 1)) || substr(l.area, 2), string_agg(l.text, E'\n' ORDER BY l.number)) AS text
    FROM line l GROUP BY l.area, l.first)
SELECT format(E'# Sovereignty report\n\nDatabase %s, %s. %s of %s findings deserve attention.\n\n%s\n',
              socle_internal.markdown_cell(current_database()), to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI "UTC"'),
              (SELECT count(*) FROM finding f WHERE f.attention), (SELECT count(*) FROM finding f),
              (SELECT string_agg(s.text, E'\n\n' ORDER BY s.first) FROM section s))
$$;
COMMENT ON FUNCTION socle.sovereignty_report_markdown IS 'the same as a page in Markdown, to be kept or sent to an auditor';
