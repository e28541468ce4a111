//! Models that run on an endpoint: the same SQL as for one on this machine, and never the vectors of another one.

use super::model_server::{DIMENSIONS, ModelServer, Mood};
use crate::sqlstate;
use postgres::Client;
use socle_tests::{Cluster, PATIENCE, error_of, eventually};
use std::time::Instant;

/// A running cluster with the endpoints "tei" and "v1" to a server, and a model of each kind on both.
pub fn cluster(server: &ModelServer) -> (Cluster, Client) {
    let cluster = Cluster::with_models("");
    let mut client = cluster.connect();
    let url = server.url();
    client
        .batch_execute(&format!(
            "SELECT socle.register_endpoint('tei', '{url}', 'tei', 'hashed', allow_loopback => true);
             SELECT socle.register_endpoint('v1', '{url}/v1', 'openai_legacy', 'hashed', allow_loopback => true);
             SELECT socle.register_endpoint_model('remote', 'tei', query_prefix => 'query: ', passage_prefix => 'passage: ');
             SELECT socle.register_endpoint_model('remote_v1', 'v1');
             SELECT socle.register_endpoint_model('scorer', 'tei', 'reranker');
             SELECT socle.register_endpoint_model('scorer_v1', 'v1', 'reranker', model => 'other');
             CREATE TABLE note (id int PRIMARY KEY, body text);
             INSERT INTO note VALUES (1, 'A backup is made each night.'), (2, 'Cats sleep for fourteen hours of the day.')"
        ))
        .unwrap();
    (cluster, client)
}

pub fn create(client: &mut Client, model: &str, egress: &str) {
    let sql = format!(
        "SELECT socle.create_corpus('notes', 'note', ARRAY['body'], model => '{model}', egress => '{{{egress}}}')"
    );
    client.batch_execute(&sql).unwrap();
    client.batch_execute("CALL socle.sync_corpus('notes')").unwrap();
}

pub fn state(client: &mut Client) -> (String, String) {
    let row = client.query_one("SELECT state, coalesce(state_reason, '') FROM socle.corpus_status", &[]).unwrap();
    (row.get(0), row.get(1))
}

fn wait_until_broken(client: &mut Client, words: &str) {
    let reason = eventually("the corpus is broken", || {
        let (state, reason) = state(client);
        (state == "broken").then_some(reason)
    });
    assert!(reason.contains(words), "{reason}");
}

fn found(client: &mut Client, more: &str) -> Result<Vec<String>, postgres::Error> {
    let sql = format!("SELECT content FROM socle.search('notes', 'When is the backup made?' {more})");
    Ok(client.query(&sql, &[])?.iter().map(|row| row.get(0)).collect())
}

#[test]
fn a_server_embeds_and_reranks_for_the_same_functions() {
    let server = ModelServer::new();
    let (_cluster, mut client) = cluster(&server);
    let rows = client
        .query(
            "SELECT kind, dimensions, endpoint FROM socle.model_status WHERE endpoint IS NOT NULL ORDER BY name",
            &[],
        )
        .unwrap();
    let rows: Vec<(String, Option<i32>, String)> =
        rows.iter().map(|row| (row.get(0), row.get(1), row.get(2))).collect();
    let row = |kind: &str, dimensions, endpoint: &str| (kind.to_string(), dimensions, endpoint.to_string());
    let length = i32::try_from(DIMENSIONS).ok();
    assert_eq!(
        rows,
        [
            row("embedding", length, "tei"),
            row("embedding", length, "v1"),
            row("reranker", None, "tei"),
            row("reranker", None, "v1")
        ]
    );
    let before = server.request_count();
    let sql = "SELECT cardinality(socle.embed(array_agg('text ' || n), 'remote')) FROM generate_series(1, 70) n";
    assert_eq!(client.query_one(sql, &[]).unwrap().get::<_, i32>(0), 70);
    let requests = &server.requests()[before..];
    assert_eq!(requests.len(), 3, "31, 31 and 8 texts, each with the probe");
    assert!(requests.iter().any(|request| request.contains("\"passage: text 1\"")), "{requests:?}");
    client.query_one("SELECT socle.embed_query('what?', 'remote')", &[]).unwrap();
    assert!(server.requests().last().unwrap().contains("\"query: what?\""));
    for model in ["scorer", "scorer_v1"] {
        let sql = format!("SELECT ordinal, score::float8 FROM socle.rerank('a b', ARRAY['c', 'a b', 'b'], '{model}')");
        let ranked: Vec<(i32, f64)> =
            client.query(&sql, &[]).unwrap().iter().map(|row| (row.get(0), row.get(1))).collect();
        let ordinals: Vec<i32> = ranked.iter().map(|(ordinal, _)| *ordinal).collect();
        assert_eq!(ordinals, [2, 3, 1], "{model}");
        // Probabilities become what the other form has.
        assert!((ranked[0].1 - 6.0).abs() < 0.01 && (ranked[2].1 + 6.0).abs() < 0.01, "{model} {ranked:?}");
    }
    let count: i32 = client.query_one("SELECT socle.count_tokens('abcdef', 'remote_v1')", &[]).unwrap().get(0);
    assert_eq!(count, 2, "one for three bytes, by estimate");
    let error = client.query_one("SELECT socle.embed(repeat('word ', 400), 'remote')", &[]).unwrap_err();
    assert_eq!(error_of(&error).0, "54000");
    for sql in
        ["SELECT socle.register_endpoint_model('x', 'tei', 'late_interaction')", "SELECT socle.generate('x', 'tei')"]
    {
        assert_eq!(sqlstate(client.query(sql, &[])), "0A000", "{sql}");
    }
}

#[test]
fn a_corpus_is_filled_and_searched_by_a_server_that_it_allows() {
    let server = ModelServer::new();
    let (_cluster, mut client) = cluster(&server);
    let before = server.request_count();
    let sql = "SELECT socle.create_corpus('notes', 'note', ARRAY['body'], model => 'remote')";
    let (code, message, _, hint) = error_of(&client.query_one(sql, &[]).unwrap_err());
    assert_eq!((code.as_str(), message.as_str()), ("42501", "corpus \"notes\" does not allow endpoint \"tei\""));
    assert!(hint.contains("egress => ARRAY['tei']"), "{hint}");
    assert_eq!(server.request_count(), before, "nothing was sent");

    create(&mut client, "remote", "tei");
    assert_eq!(state(&mut client), ("active".into(), String::new()));
    let vector = ", mode => 'vector', result_limit => 1";
    assert_eq!(found(&mut client, vector).unwrap(), ["A backup is made each night."]);
    assert_eq!(found(&mut client, ", rerank_model => 'scorer', result_limit => 1").unwrap().len(), 1);
    let (code, message, ..) = error_of(&found(&mut client, ", rerank_model => 'scorer_v1'").unwrap_err());
    assert_eq!((code.as_str(), message.as_str()), ("42501", "corpus \"notes\" does not allow endpoint \"v1\""));
    client.batch_execute("SELECT socle.alter_corpus('notes', egress => '{tei,v1}')").unwrap();
    assert!(!found(&mut client, ", rerank_model => 'scorer_v1'").unwrap().is_empty());

    // Another model, and back to one on this machine.
    for model in ["remote_v1", "minilm"] {
        client.batch_execute(&format!("SELECT socle.alter_corpus('notes', model => '{model}')")).unwrap();
        client.batch_execute("CALL socle.sync_corpus('notes')").unwrap();
        eventually("it is swapped in", || {
            let now: String =
                client.query_one("SELECT model FROM socle.corpus WHERE name = 'notes'", &[]).unwrap().get(0);
            (now == model).then_some(())
        });
        assert_eq!(found(&mut client, vector).unwrap(), ["A backup is made each night."], "{model}");
    }
    let count = server.request_count();
    found(&mut client, vector).unwrap();
    assert_eq!(server.request_count(), count, "nothing leaves for a model on this machine");
}

#[test]
fn another_model_behind_an_endpoint_is_an_error_and_no_vector_of_it_is_kept() {
    let server = ModelServer::new();
    let (_cluster, mut client) = cluster(&server);
    create(&mut client, "remote_v1", "v1");
    for (mood, model, words) in [
        (Mood::Changed, "remote", "a cosine of"),
        (Mood::Longer, "remote", "have 33 dimensions, at registration they had 32"),
        (Mood::Changed, "remote_v1", "a cosine of"),
        (Mood::Renamed, "remote_v1", "names another model"),
    ] {
        server.set(mood);
        let error = client.query_one("SELECT socle.embed_query('a', $1)", &[&model]).unwrap_err();
        let (code, message, detail, hint) = error_of(&error);
        assert_eq!(code, "55000", "{mood:?}");
        assert!(
            message.contains(&format!("with another model than \"{model}\"")) && detail.contains(words),
            "{detail}"
        );
        assert!(hint.contains("register_endpoint_model"), "{hint}");
    }
    server.set(Mood::Changed);
    let scored = "SELECT * FROM socle.rerank('a', ARRAY['b'], 'scorer')";
    assert_eq!(sqlstate(client.query(scored, &[])), "55000");
    assert_eq!(sqlstate(found(&mut client, "")), "55000");
    client.batch_execute("INSERT INTO note VALUES (3, 'Dogs bark.')").unwrap();
    wait_until_broken(&mut client, "answers with another model");
    let chunks = "SELECT count(*) FROM notes_chunk";
    assert_eq!(client.query_one(chunks, &[]).unwrap().get::<_, i64>(0), 2);

    server.set(Mood::Good);
    client.batch_execute("SELECT socle.resume_corpus('notes')").unwrap();
    client.batch_execute("CALL socle.sync_corpus('notes')").unwrap();
    assert_eq!(client.query_one(chunks, &[]).unwrap().get::<_, i64>(0), 3);
    assert_eq!(client.query(scored, &[]).unwrap().len(), 1);
}

#[test]
fn a_door_that_is_shut_stops_questions_and_texts() {
    let server = ModelServer::new();
    let (cluster, mut client) = cluster(&server);
    create(&mut client, "remote", "tei");
    let (mut owner, heard) = cluster.connect_and_listen();
    let mut notices = |sql: &str| {
        owner.batch_execute(sql).unwrap();
        heard.try_iter().collect::<Vec<String>>()
    };
    assert_eq!(notices("SELECT socle.alter_corpus('notes', egress => '{tei,v1}')"), Vec::<String>::new());
    let told = notices("SELECT socle.alter_corpus('notes', egress => '{tei}')");
    assert!(
        told.len() == 1 && told[0].starts_with("endpoint \"v1\" is sent nothing of corpus \"notes\" any more"),
        "{told:?}"
    );
    let told = notices("SELECT socle.alter_corpus('notes', egress => '{}')");
    assert!(
        told.len() == 1
            && told[0]
                .starts_with("model \"remote\" of corpus \"notes\" runs on endpoint \"tei\", which is not allowed"),
        "{told:?}"
    );
    let before = server.request_count();
    let (code, message, ..) = error_of(&found(&mut client, "").unwrap_err());
    assert_eq!((code.as_str(), message.as_str()), ("42501", "corpus \"notes\" does not allow endpoint \"tei\""));
    client.batch_execute("INSERT INTO note VALUES (3, 'Dogs bark.')").unwrap();
    wait_until_broken(&mut client, "does not allow endpoint \"tei\"");
    assert_eq!(found(&mut client, ", mode => 'keyword'").unwrap().len(), 1, "words need no model");
    assert_eq!(server.request_count(), before, "nothing was sent");
    // What the endpoint is registered as counts, not what a session knows.
    client
        .batch_execute("SELECT socle.alter_corpus('notes', egress => '{tei}'); SELECT socle.drop_endpoint('tei')")
        .unwrap();
    let (code, message, ..) = error_of(&client.query_one("SELECT socle.embed('a', 'remote')", &[]).unwrap_err());
    assert_eq!(code, "42704");
    assert_eq!(message, "endpoint \"tei\", where model \"remote\" runs, does not exist");
    assert_eq!(server.request_count(), before);
}

#[test]
fn a_question_to_several_corpora_leaves_only_if_all_of_them_allow_it() {
    let server = ModelServer::new();
    let (_cluster, mut client) = cluster(&server);
    create(&mut client, "remote", "tei");
    client.batch_execute("SELECT socle.create_corpus('closed', 'note', ARRAY['body'], model => 'bge')").unwrap();
    client.batch_execute("SELECT socle.wait_for_corpus('closed')").unwrap();
    let before = server.request_count();
    let calls = client.query(
        "SELECT DISTINCT p.proname::text FROM pg_proc p
         WHERE p.pronamespace = 'socle'::regnamespace AND (p.proargtypes[0], p.proargtypes[1]) = ('text[]'::regtype, 'text'::regtype)
           AND p.proargnames[2] IN ('query', 'question') ORDER BY 1",
        &[],
    );
    let calls: Vec<String> = calls.unwrap().into_iter().map(|row| row.get(0)).collect();
    assert!(calls.len() > 5 && calls.contains(&"prompt".to_string()), "{calls:?}");
    for call in calls {
        let sql = format!("SELECT count(*) FROM socle.{call}(ARRAY['closed', 'notes'], 'When is the backup made?')");
        let (code, message, ..) = error_of(&client.query(&sql, &[]).unwrap_err());
        assert_eq!(
            (code.as_str(), message.as_str()),
            ("42501", "corpus \"closed\" does not allow endpoint \"tei\""),
            "{call}"
        );
    }
    assert_eq!(server.request_count(), before, "nothing was sent");
}

#[test]
fn who_may_not_use_the_endpoint_has_nothing_embedded_there() {
    let server = ModelServer::new();
    let (cluster, mut client) = cluster(&server);
    client
        .batch_execute(
            "CREATE ROLE writer LOGIN; GRANT CREATE ON SCHEMA public TO writer; ALTER TABLE note OWNER TO writer;
             CREATE ROLE other LOGIN",
        )
        .unwrap();
    let before = server.request_count();
    let mut writer = cluster.configuration().user("writer").connect(postgres::NoTls).unwrap();
    let create_sql = "SELECT socle.create_corpus('notes', 'note', ARRAY['body'], model => 'remote', egress => '{tei}')";
    for sql in [
        "SELECT socle.embed('a', 'remote')",
        "SELECT * FROM socle.rerank('a', ARRAY['b'], 'scorer')",
        "SELECT socle.register_endpoint_model('mine', 'tei')",
        create_sql,
    ] {
        assert_eq!(sqlstate(writer.query(sql, &[])), "42501", "{sql}");
    }
    assert_eq!(server.request_count(), before, "nothing was sent");
    client.batch_execute("SELECT socle.grant_endpoint('tei', 'writer')").unwrap();
    writer.batch_execute(create_sql).unwrap();
    writer.batch_execute("CALL socle.sync_corpus('notes')").unwrap();
    // Who may read the source, but was not granted the endpoint, asks nothing that would leave.
    client.batch_execute("GRANT SELECT ON note, notes_chunk TO other").unwrap();
    let mut reader = cluster.configuration().user("other").connect(postgres::NoTls).unwrap();
    assert_eq!(sqlstate(found(&mut reader, "")), "42501");
    assert_eq!(found(&mut writer, "").unwrap().len(), 2);
    // The worker works as the owner, whose grant counts.
    client
        .batch_execute("SELECT socle.revoke_endpoint('tei', 'writer'); INSERT INTO note VALUES (3, 'Dogs bark.')")
        .unwrap();
    wait_until_broken(&mut client, "permission denied for endpoint \"tei\"");
}

#[test]
fn a_server_that_is_busy_is_waited_for_and_holds_up_nobody() {
    let server = ModelServer::new();
    let (cluster, mut client) = cluster(&server);
    create(&mut client, "remote", "tei");
    server.set(Mood::Refusing(429, Some(3_600)));
    let (code, _, _, hint) = error_of(&client.query_one("SELECT socle.embed('a', 'remote')", &[]).unwrap_err());
    assert_eq!((code.as_str(), hint.contains("hour")), ("57P03", true), "{hint}");
    client.batch_execute("INSERT INTO note VALUES (3, 'Dogs bark.')").unwrap();
    eventually("the reason is told", || state(&mut client).1.contains("status 429").then_some(()));
    let count = server.request_count();
    assert_eq!(state(&mut client).0, "active");
    assert_eq!(sqlstate(found(&mut client, "")), "57P03");
    assert!(!found(&mut client, ", vector_optional => true").unwrap().is_empty());
    server.set(Mood::Good);
    // It asked for an hour: only another worker, which does not know that, comes earlier.
    let ended = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = 'socle sync'";
    assert!(!client.query(ended, &[]).unwrap().is_empty());
    client.batch_execute("INSERT INTO note VALUES (4, 'Birds sing.')").unwrap();
    eventually("all is embedded", || {
        let chunks: i64 = client.query_one("SELECT count(*) FROM notes_chunk", &[]).unwrap().get(0);
        (chunks == 4).then_some(())
    });
    assert!(server.request_count() > count);

    // While a server is silent, the worker holds neither a transaction nor a lock, and a session can be cancelled.
    server.set(Mood::Silent);
    let count = server.request_count();
    client.batch_execute("INSERT INTO note VALUES (5, 'Fish swim.')").unwrap();
    server.wait_for_more_than(count);
    let held = "SELECT count(*) FROM pg_stat_activity
                WHERE backend_type = 'socle sync' AND (xact_start IS NOT NULL OR backend_xmin IS NOT NULL)";
    eventually("nothing is held", || (client.query_one(held, &[]).unwrap().get::<_, i64>(0) == 0).then_some(()));
    let locked = "SELECT count(*) FROM pg_locks l JOIN pg_stat_activity a USING (pid)
                  WHERE a.backend_type = 'socle sync' AND l.relation IN ('note'::regclass, 'notes_chunk'::regclass, 'notes_change'::regclass)";
    assert_eq!(client.query_one(locked, &[]).unwrap().get::<_, i64>(0), 0);
    client
        .batch_execute(
            "BEGIN; SET lock_timeout = '1s'; LOCK TABLE note, notes_chunk IN ACCESS EXCLUSIVE MODE; ROLLBACK",
        )
        .unwrap();
    let mut session = cluster.connect();
    let pid: i32 = session.query_one("SELECT pg_backend_pid()", &[]).unwrap().get(0);
    let count = server.request_count();
    let waiting =
        std::thread::spawn(move || sqlstate(session.query_one("SELECT socle.embed_query('a', 'remote')", &[])));
    server.wait_for_more_than(count);
    let begun = Instant::now();
    client.execute("SELECT pg_cancel_backend($1)", &[&pid]).unwrap();
    assert_eq!(waiting.join().unwrap(), "57014");
    assert!(begun.elapsed() < PATIENCE);
}

#[test]
fn answers_that_do_not_fit_are_refused_and_nothing_is_stored() {
    let server = ModelServer::new();
    let (_cluster, mut client) = cluster(&server);
    create(&mut client, "remote", "tei");
    server.set(Mood::Short);
    assert_eq!(sqlstate(client.query_one("SELECT socle.embed('a', 'remote')", &[])), "08P01");
    assert_eq!(sqlstate(client.query_one("SELECT socle.register_endpoint_model('x', 'tei')", &[])), "08P01");
    // A document that the server refuses is set aside, the others are not.
    server.set(Mood::RefusingPoison(413));
    client.batch_execute("INSERT INTO note VALUES (3, 'This is poison.')").unwrap();
    let failure = eventually("it fails", || {
        client.query_opt("SELECT error_message FROM socle.job_failure", &[]).unwrap().map(|row| row.get::<_, String>(0))
    });
    assert!(failure.contains("refuses a request of this size"), "{failure}");
    assert_eq!(state(&mut client).0, "active");
}

#[test]
fn a_standby_embeds_by_an_endpoint() {
    let server = ModelServer::new();
    let (primary, mut client) = cluster(&server);
    create(&mut client, "remote", "tei");
    let standby = Cluster::standby_of(&primary);
    standby.start();
    let mut reader = standby.wait_for_connection();
    let sql = "SELECT socle.embed_query('a question', 'remote')::real[]";
    let here: Vec<f32> = reader.query_one(sql, &[]).unwrap().get(0);
    assert_eq!(here, client.query_one(sql, &[]).unwrap().get::<_, Vec<f32>>(0));
    assert_eq!(found(&mut reader, ", result_limit => 1").unwrap(), ["A backup is made each night."]);
    assert_eq!(sqlstate(reader.query("SELECT socle.register_endpoint_model('x', 'tei')", &[])), "25006");
}

#[test]
fn what_is_labelled_leaves_for_no_endpoint() {
    let server = ModelServer::new();
    let (_cluster, mut client) = cluster(&server);
    client.batch_execute("ALTER TABLE note ADD COLUMN secret text DEFAULT 'hunter2'").unwrap();
    client.batch_execute("SECURITY LABEL FOR socle ON COLUMN note.secret IS 'no_egress'").unwrap();
    for (sql, code) in [
        ("SECURITY LABEL FOR socle ON COLUMN note.secret IS 'public'", "22023"),
        ("SECURITY LABEL FOR socle ON SCHEMA public IS 'no_egress'", "42809"),
    ] {
        assert_eq!(sqlstate(client.query(sql, &[])), code, "{sql}");
    }
    let before = server.request_count();
    let of_secret =
        "SELECT socle.create_corpus('secrets', 'note', ARRAY['body', 'secret'], model => 'remote', egress => '{tei}')";
    let (code, message, _, hint) = error_of(&client.query_one(of_secret, &[]).unwrap_err());
    assert_eq!((code.as_str(), message.contains("column \"secret\" is labelled")), ("42501", true), "{message}");
    assert!(hint.contains("SECURITY LABEL"), "{hint}");
    client
        .batch_execute("SELECT socle.create_corpus('secrets', 'note', ARRAY['body', 'secret'], model => 'minilm')")
        .unwrap();
    client.batch_execute("CALL socle.sync_corpus('secrets')").unwrap();
    assert_eq!(sqlstate(client.query("SELECT socle.alter_corpus('secrets', egress => '{tei}')", &[])), "42501");
    assert_eq!(server.request_count(), before, "nothing was sent");
    client.batch_execute("SELECT socle.drop_corpus('secrets')").unwrap();

    // Other columns may leave, until they, or the table, are labelled, too.
    create(&mut client, "remote", "tei");
    assert_eq!(found(&mut client, "").unwrap().len(), 2);
    client.batch_execute("SECURITY LABEL FOR socle ON TABLE note IS 'no_egress'").unwrap();
    let before = server.request_count();
    assert_eq!(sqlstate(found(&mut client, "")), "42501");
    client.batch_execute("INSERT INTO note VALUES (3, 'Dogs bark.')").unwrap();
    wait_until_broken(&mut client, "its source is labelled no_egress");
    assert_eq!(server.request_count(), before, "nothing was sent");
}
