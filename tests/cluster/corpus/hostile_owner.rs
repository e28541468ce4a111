//! What an owner has put on its tables and types runs as the owner, whatever role calls any function of socle, and
//! leaves nothing behind.

use super::value;
use crate::sqlstate;
use postgres::{Client, NoTls};
use socle_tests::Cluster;
use std::collections::BTreeSet;

const OWNER: &str = include_str!("hostile_owner.sql");
const HOOKS: &str = include_str!("hostile_hooks.sql");

/// What calls each function of the schema, by its name, on the corpus of the hostile owner where it takes one. The last ones
/// change it.
const CALLS: [(&str, &str); 120] = [
    ("key_column", "SELECT socle_internal.key_column('{\"id\": 1}', 'id')"),
    ("wait_reasons", "SELECT * FROM socle_internal.wait_reasons()"),
    ("worker_obstacle", "SELECT socle_internal.worker_obstacle()"),
    ("why_not_captured", "SELECT socle_internal.why_not_captured(corpus, source) FROM socle.corpus_binding"),
    ("column_type", "SELECT socle_internal.column_type(source, 1::smallint) FROM socle.corpus_binding"),
    ("version", "SELECT socle.version()"),
    ("help", "SELECT * FROM socle.help('search')"),
    ("engine_report", "SELECT socle.engine_report()"),
    ("chunk", "SELECT * FROM socle.chunk('a b')"),
    ("count_tokens", "SELECT socle.count_tokens('a', 'minilm')"),
    ("embed", "SELECT socle.embed('a', 'minilm')"),
    ("embed", "SELECT socle.embed(ARRAY['a', 'b'], 'minilm')"),
    ("embed_query", "SELECT socle.embed_query('a', 'minilm')"),
    ("rerank", "SELECT * FROM socle.rerank('a', ARRAY['b'], 'minilm')"),
    ("extract", "SELECT * FROM socle.extract('text')"),
    ("extract_text", "SELECT socle.extract_text('text')"),
    ("document_metadata", "SELECT socle.document_metadata('text')"),
    ("import_directory", "CALL socle.import_directory('trap.source', '/nowhere')"),
    ("register_model", "SELECT * FROM socle.register_model('another', 'nowhere')"),
    ("drop_model", "SELECT socle.drop_model('nowhere')"),
    ("export_model", "SELECT socle.export_model('nowhere')"),
    ("import_model", "SELECT socle.import_model('another', ''::bytea)"),
    ("import_model", "SELECT socle.import_model('another', 1::oid)"),
    ("trust_key", "SELECT socle.trust_key('somebody', 'no key')"),
    ("distrust_key", "SELECT socle.distrust_key('nobody')"),
    ("grant_model", "SELECT socle.grant_model('minilm', 'public')"),
    ("revoke_model", "SELECT socle.revoke_model('nowhere', 'public')"),
    ("drop_model", "SELECT socle.drop_model('nowhere', force => true)"),
    ("register_generator", "SELECT * FROM socle.register_generator('another', 'nowhere.gguf')"),
    ("drop_generator", "SELECT socle.drop_generator('nowhere')"),
    ("grant_generator", "SELECT socle.grant_generator('nowhere', 'public')"),
    ("revoke_generator", "SELECT socle.revoke_generator('nowhere', 'public')"),
    ("generator_report", "SELECT socle.generator_report()"),
    ("register_endpoint", "SELECT socle.register_endpoint('another', 'https://a.example', 'openai', 'm')"),
    ("register_endpoint_model", "SELECT socle.register_endpoint_model('another', 'nowhere')"),
    ("grant_endpoint", "SELECT socle.grant_endpoint('nowhere', 'public')"),
    ("revoke_endpoint", "SELECT socle.revoke_endpoint('nowhere', 'public')"),
    ("drop_endpoint", "SELECT socle.drop_endpoint('nowhere')"),
    ("endpoint_report", "SELECT socle.endpoint_report()"),
    ("ledger_entries", "SELECT * FROM socle_internal.ledger_entries()"),
    ("ledger_report", "SELECT socle_internal.ledger_report()"),
    ("ledger_checkpoint", "SELECT socle.ledger_checkpoint()"),
    ("verify_ledger", "SELECT * FROM socle.verify_ledger()"),
    ("prune_ledger", "SELECT * FROM socle.prune_ledger('2000-01-01')"),
    ("generate", "SELECT socle.generate('alpha', 'nowhere')"),
    ("generate", "SELECT socle.generate('[{\"role\": \"user\", \"content\": \"alpha\"}]'::jsonb, 'nowhere')"),
    ("count_generator_tokens", "SELECT socle.count_generator_tokens('alpha', 'nowhere')"),
    (
        "count_generator_tokens",
        "SELECT socle.count_generator_tokens('[{\"role\": \"user\", \"content\": \"alpha\"}]'::jsonb, 'nowhere')",
    ),
    ("search", "SELECT * FROM socle.search('atk', 'alpha')"),
    ("search", "SELECT * FROM socle.search('atk', 'alpha', mode => 'keyword')"),
    ("search", "SELECT * FROM socle.search('atk', 'alpha', filter => '{\"kind\": \"x1\"}', neighbours => 1)"),
    (
        "search",
        "SELECT * FROM socle.search('atk', 'alpha', filter => '{\"kinds\": {\"contains\": \"x1\"}}', diversity => 0.5)",
    ),
    (
        "search",
        "SELECT * FROM socle.search('atk', 'alpha', filter => '{\"tenant\": 1, \"id\": [\"x1\"]}', group_by_document => true)",
    ),
    ("search", "SELECT * FROM socle.search('atk', 'alpha', filter => '{\"tenants\": {\"contains\": 1}}')"),
    (
        "search",
        "SELECT * FROM socle.search('atk', 'alpha', score_statistics => 'visible', filter => '{\"tenants\": {\"<>\": null}}')",
    ),
    ("search", "SELECT * FROM socle.search('atk', 'alpha', group_by => 'kind', group_size => 2, count_total => true)"),
    (
        "search",
        "SELECT * FROM socle.search('atk', 'alpha', group_by => 'tenant', mode => 'keyword', count_total => true)",
    ),
    (
        "search",
        "SELECT * FROM socle.search('atk', 'alpha', boost => '{\"column\": \"tenant\", \"decay\": \"linear\", \"origin\": 1, \"scale\": 1}')",
    ),
    ("search", "SELECT * FROM socle.search(ARRAY['atk'], 'alpha')"),
    // The owner has written something else into the column of token vectors.
    ("search", "SELECT * FROM socle.search('atk', 'alpha', rerank_model => 'colbert')"),
    (
        "create_search_function",
        "DROP FUNCTION IF EXISTS public.find; SELECT socle.create_search_function('note', 'find', 'public')",
    ),
    // Refused: its key has a type of the owner.
    ("create_search_function", "SELECT socle.create_search_function('atk', 'find_atk', 'public')"),
    ("search_function", "SELECT * FROM public.find('omega')"),
    ("explain_search", "SELECT * FROM socle.explain_search('atk', 'alpha')"),
    ("explain_search", "SELECT * FROM socle.explain_search(ARRAY['atk'], 'alpha', mode => 'keyword')"),
    ("create_synonyms", "SELECT socle.create_synonyms('atk', ARRAY['alpha', 'x1'])"),
    ("create_protected_words", "SELECT socle.create_protected_words('atk', ARRAY['x1'])"),
    ("create_stop_words", "SELECT socle.create_stop_words('atk', ARRAY['x1'])"),
    ("search", "SELECT * FROM socle.search('atk', 'alpha x1')"),
    ("drop_word_rules", "SELECT socle.drop_word_rules('atk')"),
    ("evaluate", "SELECT * FROM socle.evaluate('atk', 'query', 'judgment')"),
    ("evaluate", "SELECT * FROM socle.evaluate('atk', 'query', 'judgment_json')"),
    ("similar", "SELECT * FROM socle.similar('atk', '{\"id\": \"x2\"}', filter => '{\"kind\": \"x1\"}')"),
    ("similar", "SELECT * FROM socle.similar('atk', chunk_id => 1)"),
    ("similar", "SELECT * FROM socle.similar('atk', texts => ARRAY['fox'])"),
    ("suggest", "SELECT * FROM socle.suggest('atk', 'alp')"),
    ("suggest", "SELECT * FROM socle.suggest('atk', 'beat')"),
    (
        "facets",
        "SELECT * FROM socle.facets('atk', 'alpha', '{kind,kinds,tenant,made}', ranges => '{\"tenant\": [1, 2], \"kind\": [\"x2\"]}')",
    ),
    ("facets", "SELECT * FROM socle.facets('atk', NULL, '{id,kind,kinds}', filter => '{\"kind\": \"x1\"}')"),
    ("facets", "SELECT * FROM socle.facets('atk', 'alpha', '{tenant}', mode => 'hybrid')"),
    (
        "context_passages",
        "SELECT * FROM socle.context_passages('atk', 'alpha', filter => '{\"kind\": \"x1\"}', neighbours => 1)",
    ),
    ("context_passages", "SELECT * FROM socle.context_passages(ARRAY['atk'], 'alpha', passage_order => 'document')"),
    ("context", "SELECT socle.context('atk', 'alpha')"),
    (
        "answer",
        "SELECT * FROM socle.answer('atk', 'alpha', min_relevance => -100, filter => '{\"kind\": \"x1\"}', search_mode => 'keyword')",
    ),
    (
        "answer_stream",
        "SELECT socle.answer_stream('atk', 'alpha', min_relevance => -100, conversation => '[{\"role\": \"user\", \"content\": \"fox\"}]')",
    ),
    ("answer", "SELECT * FROM socle.answer(ARRAY['atk'], 'alpha', min_relevance => -100)"),
    (
        "cite",
        "SELECT * FROM socle.cite('{\"corpus\": \"atk\", \"source_key\": {\"id\": \"x1\"}, \"start_offset\": 1, \"end_offset\": 5, \"content_sha256\": \"0\"}')",
    ),
    ("trace", "SELECT * FROM socle.trace('alpha')"),
    (
        "trace",
        "SELECT * FROM socle.trace('{\"corpus\": \"atk\", \"source_key\": {\"id\": \"x1\"}, \"start_offset\": 1, \"end_offset\": 5, \"content_sha256\": \"0\"}'::jsonb)",
    ),
    ("trace", "SELECT * FROM socle.trace('atk', 1)"),
    ("evaluate_answers", "SELECT * FROM socle.evaluate_answers('atk', 'asked')"),
    ("calibrate", "SELECT * FROM socle.calibrate('atk', 'asked')"),
    ("prompt", "SELECT socle.prompt('atk', 'alpha')"),
    ("create_prompt_template", "SELECT socle.create_prompt_template('atk', 'system')"),
    ("drop_prompt_template", "SELECT socle.drop_prompt_template('atk')"),
    ("export_corpus_rows", "SELECT * FROM socle.export_corpus_rows('atk', true)"),
    ("export_corpus_rows", "SELECT * FROM socle.export_corpus_rows('note')"),
    (
        "export_corpus",
        "SELECT * FROM socle.export_corpus('atk', '/nowhere/atk', true, evaluation_sets => '{trap.source}')",
    ),
    ("import_evaluation_set", "SELECT * FROM socle.import_evaluation_set('/nowhere/atk', 'question')"),
    ("import_corpus", "SELECT socle.import_corpus('copy', '/nowhere/atk', 'trap.source')"),
    ("process_report", "SELECT * FROM socle_internal.process_report()"),
    ("markdown_cell", "SELECT socle_internal.markdown_cell('a')"),
    ("sovereignty_findings", "SELECT * FROM socle.sovereignty_findings()"),
    ("sovereignty_report", "SELECT socle.sovereignty_report()"),
    ("sovereignty_report_markdown", "SELECT socle.sovereignty_report_markdown()"),
    ("wait_for_corpus", "SELECT socle.wait_for_corpus('atk', '1s')"),
    ("corpus_report", "SELECT * FROM socle_internal.corpus_report()"),
    ("failure_report", "SELECT * FROM socle_internal.failure_report()"),
    ("create_corpus", "SELECT socle.create_corpus('another', 'trap.source', '{body}', model => 'minilm')"),
    ("verify_corpus", "SELECT * FROM socle.verify_corpus('atk')"),
    ("verify_corpus", "SELECT * FROM socle.verify_corpus('atk', true)"),
    ("retry_failed", "SELECT socle.retry_failed('atk')"),
    ("pause_corpus", "SELECT socle.pause_corpus('atk')"),
    ("sync_corpus", "CALL socle.sync_corpus('atk')"),
    ("resume_corpus", "SELECT socle.resume_corpus('atk')"),
    ("alter_corpus", "SELECT socle.alter_corpus('atk', max_tokens => 77)"),
    ("forget", "SELECT socle.forget('atk', filter => '{\"tenant\": 1}', delete_source => true)"),
    (
        "verify_erasure",
        "SELECT * FROM socle.verify_erasure((SELECT socle.forget('atk', filter => '{\"tenant\": 1}', delete_source => true)), '{alpha}')",
    ),
    ("wait_for_erasure", "CALL socle.wait_for_erasure('{}')"),
    ("drop_corpus", "SELECT socle.drop_corpus('atk')"),
];

/// Calls that have to succeed for a superuser: else they would show nothing.
const MUST_SUCCEED: [&str; 25] = [
    "forget",
    "verify_erasure",
    "sovereignty_report",
    "export_corpus_rows",
    "search",
    "create_search_function",
    "search_function",
    "similar",
    "suggest",
    "facets",
    "context_passages",
    "context",
    "answer",
    "answer_stream",
    "cite",
    "evaluate_answers",
    "calibrate",
    "prompt",
    "explain_search",
    "evaluate",
    "wait_for_corpus",
    "corpus_report",
    "failure_report",
    "pause_corpus",
    "drop_corpus",
];

/// What a session holds, as one text for each kind of thing.
fn session(client: &mut Client) -> Vec<String> {
    let sql = "SELECT 'setting ' || name || '=' || coalesce(setting, '') FROM pg_settings WHERE name !~ '^(hnsw|ivfflat|plpgsql)'
               UNION ALL SELECT 'user ' || current_user || ' ' || session_user
               UNION ALL SELECT 'temporary schema ' || pg_my_temp_schema()
               UNION ALL SELECT 'channel ' || c FROM pg_listening_channels() AS c
               UNION ALL SELECT 'statement ' || name FROM pg_prepared_statements WHERE from_sql
               UNION ALL SELECT 'lock ' || l::text FROM (SELECT locktype, classid, objid, objsubid, mode FROM pg_locks
                   WHERE pid = pg_backend_pid() AND locktype IN ('advisory', 'object')) AS l
               ORDER BY 1";
    client.query(sql, &[]).unwrap().iter().map(|row| row.get(0)).collect()
}

/// Roles that hooks have run as, except the owner.
fn others(client: &mut Client) -> BTreeSet<String> {
    let rows = client.query("SELECT who || ': ' || hook FROM canary WHERE who <> 'mallory'", &[]).unwrap();
    rows.iter().map(|row| row.get(0)).collect()
}

/// A session that holds something of every kind.
fn session_of(cluster: &Cluster, role: &str) -> Client {
    let mut client = cluster.configuration().user(role).connect(NoTls).unwrap();
    client
        .batch_execute(
            "SET application_name = 'mine'; SET search_path = public, pg_catalog;
             SELECT pg_advisory_lock(1); LISTEN mine; PREPARE mine AS SELECT 1; SELECT socle.version()",
        )
        .unwrap();
    client
}

/// Calls every function, and checks what the session holds after each call. Returns the names of calls that succeeded.
fn call_all(client: &mut Client, role: &str, calls: &[(&str, &str)]) -> BTreeSet<String> {
    let mut succeeded = BTreeSet::new();
    let views = [
        "corpus_status",
        "job_failure",
        "worker_status",
        "engine_status",
        "model_status",
        "missed_change",
        "corpus",
        "corpus_binding",
        "model",
        "word_rule",
        "prompt_template",
        "erasure_status",
    ];
    let before = session(client);
    for (name, sql) in views
        .map(|view| ("view", format!("SELECT * FROM socle.{view}")))
        .into_iter()
        .chain(calls.iter().map(|(name, sql)| (*name, (*sql).to_string())))
    {
        let done = client.simple_query(&sql);
        if done.is_ok() {
            succeeded.insert(name.to_string());
        }
        assert_eq!(session(client), before, "{role}: {sql}");
        // As a caller does that has a transaction of its own.
        if name != "sync_corpus" && name != "import_directory" {
            client.batch_execute("BEGIN").unwrap();
            let _ = client.simple_query(&sql);
            client.batch_execute("ROLLBACK").unwrap();
            assert_eq!(session(client), before, "{role}: {sql}, rolled back");
        }
    }
    succeeded
}

#[test]
fn what_an_owner_has_made_runs_as_the_owner_and_leaves_nothing() {
    let cluster = Cluster::with_models("");
    let mut client = cluster.connect();
    client
        .batch_execute(
            "CREATE TABLE canary (who text, session text, hook text); GRANT INSERT, SELECT ON canary TO PUBLIC;
             CREATE ROLE mallory LOGIN; CREATE SCHEMA trap AUTHORIZATION mallory;
             CREATE ROLE monitor LOGIN IN ROLE pg_monitor; CREATE ROLE other LOGIN; CREATE ROLE reader LOGIN; CREATE ROLE nobody LOGIN;
             CREATE SCHEMA other AUTHORIZATION other;
             CREATE TABLE query (id text, query text); INSERT INTO query VALUES ('q', 'alpha');
             CREATE TABLE judgment (query_id text, id text, grade int); INSERT INTO judgment VALUES ('q', 'x1', 1);
             CREATE TABLE judgment_json (query_id text, id jsonb, grade numeric); INSERT INTO judgment_json VALUES ('q', '{\"id\": \"x1\"}', 1.2); CREATE TABLE asked (question text, reference text); INSERT INTO asked VALUES ('alpha', 'alpha'), ('omega', NULL);
             GRANT SELECT ON query, judgment, judgment_json, asked TO PUBLIC",
        )
        .unwrap();
    every_function_is_called(&mut client);
    let mut mallory = cluster.configuration().user("mallory").connect(NoTls).unwrap();
    mallory.batch_execute(OWNER).unwrap();
    let filled: bool = value(&mut client, "SELECT socle.wait_for_corpus('atk', '2 minutes')");
    assert!(filled);
    client.batch_execute("CALL socle.sync_corpus('atk')").unwrap();
    mallory.batch_execute(HOOKS).unwrap();
    drop(mallory);
    client
        .batch_execute(
            "SET ROLE other; CREATE TABLE other.note (id int PRIMARY KEY, body text); INSERT INTO other.note VALUES (1, 'omega');
             SELECT socle.create_corpus('note', 'other.note', '{body}', model => 'minilm'); RESET ROLE",
        )
        .unwrap();
    let keys = "SELECT string_agg(source_key::text, ' ' ORDER BY source_key::text) FROM socle.search('atk', 'alpha')";
    assert_eq!(
        value::<String>(&mut client, keys),
        "{\"id\": \"x1\"}",
        "a key is what its type puts out; the other document waits"
    );
    for role in ["postgres", "monitor", "other", "nobody"] {
        let mut session = session_of(&cluster, role);
        let calls = if role == "postgres" { &CALLS[..CALLS.len() - 8] } else { &CALLS[..] };
        let succeeded = call_all(&mut session, role, calls);
        assert!(role != "nobody" || !succeeded.contains("search"), "a role without any right");
        assert!(role != "postgres" || succeeded.contains("search"));
        assert_eq!(others(&mut client), BTreeSet::new(), "{role}");
    }
    the_owner_himself(&cluster);
    a_reader(&cluster, &mut client);
    // The last ones, which change the corpus and end it.
    let succeeded = call_all(&mut session_of(&cluster, "postgres"), "postgres", &CALLS);
    for name in MUST_SUCCEED {
        assert!(succeeded.contains(name), "{name} has failed: {succeeded:?}");
    }
    let allowed: BTreeSet<String> =
        others(&mut client).into_iter().filter(|hook| !hook.starts_with("reader: ")).collect();
    assert_eq!(allowed, BTreeSet::new());
    let hooks: Vec<String> = client
        .query("SELECT DISTINCT hook FROM canary WHERE who = 'mallory' AND session <> 'mallory' ORDER BY 1", &[])
        .unwrap()
        .iter()
        .map(|row| row.get(0))
        .collect();
    assert!(hooks.iter().any(|hook| hook.starts_with("trigger")), "nothing was sprung: {hooks:?}");
    let superuser: bool = value(&mut client, "SELECT rolsuper FROM pg_roles WHERE rolname = 'mallory'");
    assert!(!superuser);
}

/// Fails for a function that this file does not call, because the function would not be checked.
fn every_function_is_called(client: &mut Client) {
    let sql = "SELECT p.proname::text FROM pg_proc p
               WHERE p.pronamespace IN ('socle'::regnamespace, 'socle_internal'::regnamespace) AND p.prorettype NOT IN ('trigger'::regtype, 'event_trigger'::regtype)
                 AND p.proname NOT IN ('column_numbers', 'column_names', 'column_types', 'ancestors', 'check_installation', 'after_update')";
    let there: BTreeSet<String> = client.query(sql, &[]).unwrap().iter().map(|row| row.get(0)).collect();
    let called = CALLS.iter().filter(|(name, _)| *name != "search_function");
    let called: BTreeSet<String> = called.map(|(name, _)| (*name).to_string()).collect();
    assert_eq!(there, called);
    let private =
        "SELECT count(*) FROM pg_proc p WHERE p.pronamespace = 'socle_internal'::regnamespace AND p.proname IN ('column_numbers', 'column_names', 'column_types', 'ancestors', 'check_installation', 'after_update')
                   AND has_function_privilege('nobody', p.oid, 'EXECUTE')";
    assert_eq!(value::<i64>(client, private), 0);
}

/// A call by the owner runs as the owner, and what the tables of the owner run is confined all the same.
fn the_owner_himself(cluster: &Cluster) {
    let mut session = session_of(cluster, "mallory");
    assert!(call_all(&mut session, "mallory", &CALLS[..CALLS.len() - 7]).contains("search"));
}

/// A reader of a table runs the policies on it, as in PostgreSQL itself; with nothing left in the session, and in no
/// call that the reader has no right to.
fn a_reader(cluster: &Cluster, client: &mut Client) {
    let mut session = session_of(cluster, "reader");
    assert_eq!(sqlstate(session.simple_query("SELECT * FROM socle.search('atk', 'alpha')")), "42501");
    assert_eq!(others(client), BTreeSet::new(), "not before the right is looked at");
    client.batch_execute("GRANT SELECT ON trap.source, trap.atk_chunk TO reader").unwrap();
    let succeeded = call_all(&mut session, "reader", &CALLS);
    assert!(succeeded.contains("search") && !succeeded.contains("verify_corpus"), "{succeeded:?}");
    let read: BTreeSet<String> =
        ["reader: policy of the source", "reader: index of the source", "reader: index of the chunks"]
            .map(str::to_string)
            .into();
    let run = others(client);
    assert!(run.is_subset(&read), "{run:?}");
    client.batch_execute("DELETE FROM canary WHERE who = 'reader'").unwrap();
}

#[test]
fn a_policy_on_the_log_leaves_nothing_in_the_session_of_whoever_waits() {
    let cluster = Cluster::with_models("");
    let mut client = cluster.connect();
    client
        .batch_execute(
            "CREATE ROLE owner; CREATE SCHEMA trap AUTHORIZATION owner; SET ROLE owner;
             CREATE FUNCTION trap.now() RETURNS timestamptz LANGUAGE plpgsql AS $$ BEGIN
                 BEGIN EXECUTE 'ALTER ROLE owner SUPERUSER'; EXCEPTION WHEN OTHERS THEN NULL; END; RETURN pg_catalog.clock_timestamp(); END $$;
             CREATE TABLE trap.three (id int PRIMARY KEY, body text);
             SELECT socle.create_corpus('three', 'trap.three', '{body}', model => 'minilm')",
        )
        .unwrap();
    let filled: bool = value(&mut client, "SELECT socle.wait_for_corpus('three', '2 minutes')");
    assert!(filled);
    client
        .batch_execute(
            "SELECT socle.pause_corpus('three'); INSERT INTO trap.three VALUES (1, 'one');
             ALTER TABLE trap.three_change ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
             CREATE FUNCTION trap.policy() RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN
                 PERFORM set_config('search_path', 'trap, pg_catalog, public', false); RETURN true; END $$;
             CREATE POLICY p ON trap.three_change USING (trap.policy())",
        )
        .unwrap();
    let mut caller = cluster.connect();
    let path: String = value(&mut caller, "SHOW search_path");
    for sql in [
        "SELECT socle.wait_for_corpus('three', '1s')",
        "SELECT * FROM socle.search('three', 'x')",
        "SELECT socle.retry_failed('three')",
        "SELECT * FROM socle.corpus_status",
    ] {
        caller.simple_query(sql).unwrap();
        assert_eq!(value::<String>(&mut caller, "SHOW search_path"), path, "{sql}");
        caller.simple_query("SELECT now()").unwrap();
    }
    let superuser: bool = value(&mut caller, "SELECT rolsuper FROM pg_roles WHERE rolname = 'owner'");
    assert!(!superuser);
}
