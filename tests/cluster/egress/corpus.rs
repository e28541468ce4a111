//! Corpora and endpoints: what is asked of a corpus, and what stands in it, goes only where its owner allows.

use super::{Server, cluster};
use crate::sqlstate;
use postgres::{Client, NoTls};
use serde_json::Value;
use socle_tests::{Cluster, error_of, eventually};

const ANSWER: &str = "A backup is made each night at two.";

fn with_corpora(server: &Server) -> (Cluster, Client) {
    let (cluster, mut client) = cluster(server, "socle.default_rerank_model = 'reranker'");
    client
        .batch_execute(
            "CREATE TABLE guide (id int PRIMARY KEY, title text, body text);
             INSERT INTO guide VALUES
                 (1, 'Backups', 'A backup is made each night at two. Stop the server before you restore a backup.'),
                 (2, 'Cats', 'Cats sleep for 14 hours of the day. They hunt at night.');
             SELECT socle.create_corpus('open', 'guide', ARRAY['body'], title => 'title', model => 'minilm', language => 'en', egress => ARRAY['door']);
             SELECT socle.create_corpus('shut', 'guide', ARRAY['body'], title => 'title', model => 'minilm', language => 'en')",
        )
        .unwrap();
    for corpus in ["open", "shut"] {
        client.batch_execute(&format!("CALL socle.sync_corpus('{corpus}')")).unwrap();
    }
    (cluster, client)
}

fn answer(client: &mut Client, corpus: &str, arguments: &str) -> Result<Value, postgres::Error> {
    let sql = format!(
        "SELECT to_jsonb(a)::text FROM socle.answer({corpus}, 'When is a backup made?', generator => 'door' {arguments}) AS a"
    );
    let row = client.query_one(&sql, &[])?;
    Ok(serde_json::from_str(row.get(0)).unwrap())
}

#[test]
fn a_corpus_is_answered_by_an_endpoint_that_it_allows() {
    let server = Server::saying(ANSWER);
    let (_cluster, mut client) = with_corpora(&server);
    let found = answer(&mut client, "'open'", "").unwrap();
    assert_eq!((&found["answer"], &found["generator"]), (&format!("{ANSWER} [1]").into(), &"door".into()), "{found}");
    assert_eq!((&found["prompt_tokens"], &found["finish"]), (&321.into(), &"stop".into()), "{found}");
    assert_eq!(found["model_digest"].as_str().unwrap().len(), 64);
    let request = server.requests.lock().unwrap()[0].clone();
    assert!(request.contains("Stop the server before you restore a backup."), "{request}");
    let rows = client
        .query("SELECT sentence FROM socle.answer_stream('open', 'When is a backup made?', generator => 'door')", &[])
        .unwrap();
    assert_eq!(rows[0].get::<_, &str>(0), ANSWER);
    assert_eq!(server.request_count(), 2);
}

#[test]
fn a_corpus_that_forbids_it_is_answered_by_no_endpoint_whatever_is_asked() {
    let server = Server::saying(ANSWER);
    let (_cluster, mut client) = with_corpora(&server);
    let conversation = ", conversation => '[{\"role\": \"user\", \"content\": \"Backups\"}, {\"role\": \"assistant\", \"content\": \"Yes?\"}]'";
    for (corpus, arguments) in [
        ("'shut'", ""),
        ("'shut'", conversation),
        ("'shut'", ", mode => 'generated', min_relevance => -100"),
        ("ARRAY['open', 'shut']", ""),
        ("ARRAY['shut', 'open']", conversation),
    ] {
        let (code, message, _, hint) = error_of(&answer(&mut client, corpus, arguments).unwrap_err());
        assert_eq!((code.as_str(), message.as_str()), ("42501", "corpus \"shut\" does not allow endpoint \"door\""));
        assert!(hint.contains("egress"), "{hint}");
    }
    client
        .batch_execute(
            "CREATE TABLE asked (question text, reference text); INSERT INTO asked VALUES ('When is a backup made?', 'at two');
             SET socle.default_generator = 'door'",
        )
        .unwrap();
    for sql in [
        "SELECT socle.answer('shut', 'When is a backup made?')",
        "SELECT socle.answer_stream('shut', 'When is a backup made?')",
        "SELECT * FROM socle.evaluate_answers('shut', 'asked')",
    ] {
        assert_eq!(sqlstate(client.query(sql, &[])), "42501", "{sql}");
    }
    let extractive = "SELECT answer FROM socle.answer('shut', 'When is a backup made?', mode => 'extractive')";
    assert!(client.query_one(extractive, &[]).unwrap().get::<_, String>(0).contains("at two"));
    assert_eq!(server.request_count(), 0, "neither question nor passage has left");
}

#[test]
fn the_owner_opens_and_shuts_a_corpus_at_once() {
    let server = Server::saying(ANSWER);
    let (cluster, mut client) = with_corpora(&server);
    client
        .batch_execute(
            "CREATE ROLE owner LOGIN; CREATE ROLE reader LOGIN; GRANT SELECT ON guide, open_chunk TO reader;
             GRANT SELECT ON guide TO owner; ALTER TABLE shut_chunk OWNER TO owner;
             ALTER TABLE shut_change OWNER TO owner; ALTER TABLE shut_document OWNER TO owner; SELECT socle.grant_endpoint('door', 'public')",
        )
        .unwrap();
    let connect = |user: &str| cluster.configuration().user(user).connect(NoTls).unwrap();
    let (mut owner, mut reader) = (connect("owner"), connect("reader"));
    assert_eq!(sqlstate(reader.execute("SELECT socle.alter_corpus('open', egress => '{}')", &[])), "42501");
    assert_eq!(sqlstate(reader.execute("UPDATE socle.corpus SET egress = '{}'", &[])), "42501");
    answer(&mut reader, "'open'", "").unwrap();
    assert_eq!(sqlstate(owner.execute("SELECT socle.alter_corpus('shut', egress => ARRAY['nowhere'])", &[])), "42704");
    owner.execute("SELECT socle.alter_corpus('shut', egress => ARRAY['door', 'door'])", &[]).unwrap();
    let kept = "SELECT egress::text, state FROM socle.corpus WHERE name = 'shut'";
    let row = client.query_one(kept, &[]).unwrap();
    assert_eq!((row.get::<_, &str>(0), row.get::<_, &str>(1)), ("{door}", "active"), "nothing is filled anew");
    answer(&mut client, "'shut'", "").unwrap();
    // In every state: a corpus that is paused can be shut as well.
    owner
        .batch_execute("SELECT socle.pause_corpus('shut'); SELECT socle.alter_corpus('shut', egress => '{}')")
        .unwrap();
    assert_eq!(sqlstate(answer(&mut client, "'shut'", "")), "42501");
    // What is filled anew keeps what it allows.
    client.batch_execute("SELECT socle.alter_corpus('open', max_tokens => 60)").unwrap();
    client.batch_execute("CALL socle.sync_corpus('open')").unwrap();
    answer(&mut client, "'open'", "").unwrap();
    assert_eq!(server.request_count(), 3);
}

/// Whoever has an old snapshot finds the door as it is now.
#[test]
fn a_door_that_was_shut_is_shut_for_older_snapshots_too() {
    let server = Server::saying(ANSWER);
    let (cluster, mut client) = with_corpora(&server);
    client
        .batch_execute(
            "CREATE ROLE reader LOGIN; GRANT SELECT ON guide, open_chunk TO reader; SELECT socle.grant_endpoint('door', 'reader')",
        )
        .unwrap();
    let begin = |sql: &str| {
        let mut reader = cluster.configuration().user("reader").connect(NoTls).unwrap();
        reader.batch_execute(&format!("BEGIN ISOLATION LEVEL {sql}; SELECT count(*) FROM guide")).unwrap();
        reader
    };
    for (isolation, shut, open) in [
        (
            "REPEATABLE READ",
            "SELECT socle.alter_corpus('open', egress => '{}')",
            "SELECT socle.alter_corpus('open', egress => '{door}')",
        ),
        (
            "SERIALIZABLE",
            "SELECT socle.revoke_endpoint('door', 'reader')",
            "SELECT socle.grant_endpoint('door', 'reader')",
        ),
        ("REPEATABLE READ", "SELECT socle.drop_endpoint('door')", ""),
    ] {
        let mut reader = begin(isolation);
        client.batch_execute(shut).unwrap();
        let code = sqlstate(answer(&mut reader, "'open'", ""));
        assert!(["42501", "42704"].contains(&code.as_str()), "{shut}: {code}");
        client.batch_execute(open).unwrap();
    }
    assert_eq!(server.request_count(), 0);
}

#[test]
fn no_corpus_is_left_with_an_endpoint_that_is_dropped_at_the_same_time() {
    let server = Server::saying(ANSWER);
    let (cluster, mut client) = with_corpora(&server);
    let mut other = cluster.connect();
    let mut older = cluster.connect();
    older.batch_execute("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM guide").unwrap();
    client.batch_execute("SELECT socle.alter_corpus('shut', egress => '{door}')").unwrap();
    assert_eq!(sqlstate(older.batch_execute("SELECT socle.drop_endpoint('door')")), "40001");
    older.batch_execute("ROLLBACK; BEGIN; SELECT socle.drop_endpoint('door')").unwrap();
    let pid: i32 = other.query_one("SELECT pg_backend_pid()", &[]).unwrap().get(0);
    let allowing = std::thread::spawn(move || {
        sqlstate(other.batch_execute("SELECT socle.alter_corpus('shut', egress => '{door}')"))
    });
    eventually("whoever allows the endpoint waits", || {
        let waits = "SELECT wait_event_type = 'Lock' FROM pg_stat_activity WHERE pid = $1";
        client.query_one(waits, &[&pid]).unwrap().get::<_, Option<bool>>(0).unwrap_or_default().then_some(())
    });
    older.batch_execute("COMMIT").unwrap();
    assert_eq!(allowing.join().unwrap(), "42704");
    let left = "SELECT count(*) FROM socle.corpus WHERE egress <> '{}'";
    assert_eq!(client.query_one(left, &[]).unwrap().get::<_, i64>(0), 0);
}
