//! What an endpoint of a model refuses: all texts, which concerns the corpus, or one, which concerns its document.

use super::model::{cluster, create, state};
use super::model_server::{ModelServer, Mood};
use socle_tests::{error_of, eventually};

#[test]
fn an_endpoint_that_refuses_whatever_it_is_asked_costs_no_document_an_attempt() {
    let server = ModelServer::new();
    let (_cluster, mut client) = cluster(&server);
    create(&mut client, "remote", "tei");
    let chunks = "SELECT count(*) FROM notes_chunk";
    for (number, (status, words)) in (3_i64..).zip([
        (404, "does not know the path or the model"),
        (302, "a redirect"),
        (400, "refuses the request"),
        (401, "its key"),
        (413, "refuses a request of this size"),
        (500, "has failed on the request"),
    ]) {
        server.set(Mood::Refusing(status, None));
        let (code, message, ..) = error_of(&client.query_one("SELECT socle.embed('a', 'remote')", &[]).unwrap_err());
        assert!(["38000", "28000"].contains(&code.as_str()) && message.contains(words), "{code} {message}");
        client.execute("INSERT INTO note VALUES ($1::bigint::int, 'Note ' || $1::bigint)", &[&number]).unwrap();
        let reason = eventually("the reason is told", || {
            let (state, reason) = state(&mut client);
            assert_eq!(state, "active", "{reason}");
            reason.contains(&format!("status {status}")).then_some(reason)
        });
        assert!(reason.contains(words), "{reason}");
        let log = "SELECT max(attempt_count), count(*) FROM notes_change";
        eventually("no attempt is counted", || {
            let row = client.query_one(log, &[]).unwrap();
            ((row.get::<_, i32>(0), row.get::<_, i64>(1)) == (0, 1)).then_some(())
        });
        assert!(client.query_opt("SELECT FROM socle.job_failure", &[]).unwrap().is_none());
        server.set(Mood::Good);
        eventually("it goes on by itself", || {
            (client.query_one(chunks, &[]).unwrap().get::<_, i64>(0) == number).then_some(())
        });
    }
}

#[test]
fn a_text_that_an_endpoint_refuses_alone_is_set_aside_alone() {
    let server = ModelServer::new();
    let (_cluster, mut client) = cluster(&server);
    create(&mut client, "remote", "tei");
    server.set(Mood::RefusingPoison(400));
    client
        .batch_execute("INSERT INTO note VALUES (3, 'Dogs bark.'), (4, 'This is poison.'), (5, 'Birds sing.')")
        .unwrap();
    let failure = eventually("it has failed", || {
        let sql = "SELECT source_key ->> 'id', error_message FROM socle.job_failure";
        client.query_opt(sql, &[]).unwrap().map(|row| (row.get::<_, String>(0), row.get::<_, String>(1)))
    });
    assert_eq!(failure.0, "4");
    assert!(failure.1.contains("refuses the request"), "{}", failure.1);
    eventually("the others are embedded", || {
        let chunks = client.query_one("SELECT count(*) FROM notes_chunk", &[]).unwrap();
        (chunks.get::<_, i64>(0) == 4).then_some(())
    });
    assert_eq!(state(&mut client).0, "active");
}

#[test]
fn corpora_on_an_endpoint_that_hangs_hold_up_no_other_corpus() {
    let server = ModelServer::new();
    let (_cluster, mut client) = cluster(&server);
    create(&mut client, "remote", "tei");
    client
        .batch_execute(
            "CREATE TABLE second (id int PRIMARY KEY, body text); CREATE TABLE third (LIKE second INCLUDING ALL);
             CREATE TABLE here (LIKE second INCLUDING ALL);
             SELECT socle.create_corpus(name, name::regclass, ARRAY['body'], model => 'remote', egress => '{tei}')
             FROM unnest(ARRAY['second', 'third']) AS name;
             SELECT socle.create_corpus('here', 'here', ARRAY['body'], model => 'minilm')",
        )
        .unwrap();
    for name in ["second", "third", "here"] {
        client.batch_execute(&format!("CALL socle.sync_corpus('{name}')")).unwrap();
    }
    let before = server.request_count();
    server.set(Mood::Silent);
    client
        .batch_execute(
            "INSERT INTO note VALUES (3, 'Dogs bark.'); INSERT INTO second VALUES (1, 'Birds sing.');
             INSERT INTO third VALUES (1, 'Fish swim.')",
        )
        .unwrap();
    eventually("a worker waits for the endpoint", || (server.request_count() > before).then_some(()));
    client.batch_execute("INSERT INTO here VALUES (1, 'Snow falls.')").unwrap();
    eventually("the corpus without an endpoint is in sync", || {
        let done = client.query_one("SELECT count(*) FROM here_chunk", &[]).unwrap();
        (done.get::<_, i64>(0) == 1).then_some(())
    });
    let waiting = "SELECT (SELECT count(*) FROM notes_change) + (SELECT count(*) FROM second_change)
                   + (SELECT count(*) FROM third_change)";
    assert_eq!(client.query_one(waiting, &[]).unwrap().get::<_, i64>(0), 3, "the endpoint still hangs");
    server.set(Mood::Good);
    client
        .batch_execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = 'socle sync'")
        .unwrap();
    eventually("the others go on", || (client.query_one(waiting, &[]).unwrap().get::<_, i64>(0) == 0).then_some(()));
}
