//! A session that waits for the engine can be cancelled, timed out and terminated, and the engine stops working for it.

use crate::embed;
use postgres::{Client, NoTls};
use socle_tests::{Cluster, PATIENCE, error_of, eventually};
use std::time::Instant;

fn slow(cluster: &Cluster) -> Client {
    crate::model::register_endless(cluster);
    let mut client = cluster.connect();
    embed(&mut client, "warm").unwrap();
    let corpus = "CREATE TABLE thing (id int PRIMARY KEY, body text);
                  SELECT socle.create_corpus('thing', 'thing', ARRAY['body'], model => 'slow')";
    client.batch_execute(corpus).unwrap();
    client
}

/// Usual times until an interrupt are measured by `make bench`; here the statements themselves would never end.
fn wait_for_queue(client: &mut Client, length: impl Fn(i32) -> bool) {
    eventually("the queue is as expected", || {
        let row = client.query_one("SELECT bulk_queue + interactive_queue FROM socle.engine_status", &[]).unwrap();
        length(row.get(0)).then_some(())
    });
}

#[test]
fn cancel_ends_the_wait_and_the_work() {
    let cluster = Cluster::with_models("");
    let mut observer = slow(&cluster);
    let statements = [
        "SELECT socle.embed('slow', 'slow')",
        "SELECT socle.embed_query('slow', 'slow')",
        "SELECT socle.embed(array_fill('slow'::text, ARRAY[300]), 'slow')",
        "SELECT socle.embed(v, 'slow') FROM (VALUES ('slow'), ('slow')) AS t (v)",
        "SELECT * FROM socle.search('thing', 'slow')",
    ];
    for sql in statements {
        let mut client = cluster.connect();
        let token = client.cancel_token();
        std::thread::scope(|scope| {
            let statement = scope.spawn(|| {
                let error = client.simple_query(sql).unwrap_err();
                (error_of(&error).0, Instant::now(), client)
            });
            wait_for_queue(&mut observer, |length| length > 0);
            let cancelled = Instant::now();
            token.cancel_query(NoTls).unwrap();
            let (sqlstate, ended, mut client) = statement.join().unwrap();
            assert_eq!(sqlstate, "57014", "{sql}");
            assert!(ended - cancelled < PATIENCE, "{sql}: {:?}", ended - cancelled);
            wait_for_queue(&mut observer, |length| length == 0);
            assert_eq!(embed(&mut client, "the session goes on").unwrap(), 384);
        });
    }
}

#[test]
fn statement_timeout_ends_the_wait_and_the_work() {
    let cluster = Cluster::with_models("");
    let mut client = slow(&cluster);
    client.batch_execute("SET statement_timeout = '200ms'").unwrap();
    let begun = Instant::now();
    assert_eq!(error_of(&client.simple_query("SELECT socle.embed('slow', 'slow')").unwrap_err()).0, "57014");
    assert!(begun.elapsed() < PATIENCE);
    client.batch_execute("RESET statement_timeout").unwrap();
    wait_for_queue(&mut client, |length| length == 0);
    // A timeout in a subtransaction leaves a session that can go on.
    let sql = "DO $$ BEGIN PERFORM socle.embed('slow', 'nope'); EXCEPTION WHEN undefined_object THEN NULL; END $$";
    client.batch_execute(sql).unwrap();
    embed(&mut client, "the session goes on").unwrap();
}

#[test]
fn termination_ends_the_session_and_the_work() {
    let cluster = Cluster::with_models("");
    let mut observer = slow(&cluster);
    let mut client = cluster.connect();
    let pid: i32 = client.query_one("SELECT pg_backend_pid()", &[]).unwrap().get(0);
    std::thread::scope(|scope| {
        let statement = scope.spawn(move || client.simple_query("SELECT socle.embed('slow', 'slow')").unwrap_err());
        wait_for_queue(&mut observer, |length| length > 0);
        let begun = Instant::now();
        observer.execute("SELECT pg_terminate_backend($1)", &[&pid]).unwrap();
        let error = statement.join().unwrap();
        // The client may find the connection closed before the client has read the error.
        assert!(error.is_closed() || error_of(&error).0 == "57P01", "{error:?}");
        assert!(begun.elapsed() < PATIENCE);
        wait_for_queue(&mut observer, |length| length == 0);
    });
}

#[test]
fn a_client_that_vanishes_frees_the_engine() {
    let cluster = Cluster::with_models("client_connection_check_interval = '100ms'");
    let mut observer = slow(&cluster);
    let psql = socle_tests::command(socle_tests::bin("psql"))
        .args(["--username=postgres", "--command=SELECT socle.embed('slow', 'slow')"])
        .arg(format!("--host={}", cluster.directory().display()))
        .spawn();
    // The server of version 17 under test comes with a psql of another version; the test needs any client.
    let mut psql = psql.unwrap();
    wait_for_queue(&mut observer, |length| length > 0);
    psql.kill().unwrap();
    psql.wait().unwrap();
    wait_for_queue(&mut observer, |length| length == 0);
}

#[test]
fn a_thousand_cancels_leak_nothing() {
    let cluster = Cluster::with_models("");
    let mut client = cluster.connect();
    embed(&mut client, "warm").unwrap();
    let pid: i32 = client.query_one("SELECT pg_backend_pid()", &[]).unwrap().get(0);
    let descriptors = |pid: u32| std::fs::read_dir(format!("/proc/{pid}/fd")).unwrap().count();
    let engine = cluster.engine_pid().unwrap();
    let before = (descriptors(pid.cast_unsigned()), descriptors(engine));
    client.batch_execute("SET statement_timeout = '2ms'").unwrap();
    let sql = "SELECT socle.embed(array_fill('a text that takes some milliseconds'::text, ARRAY[20]), 'minilm')";
    let cancelled = (0..1000).filter(|_| client.simple_query(sql).is_err()).count();
    client.batch_execute("RESET statement_timeout").unwrap();
    assert!(cancelled > 500, "{cancelled}");
    embed(&mut client, "the session goes on").unwrap();
    assert_eq!(cluster.engine_pid(), Some(engine));
    eventually("the engine has closed every connection", || {
        (descriptors(engine) <= before.1 && descriptors(pid.cast_unsigned()) <= before.0 + 1).then_some(())
    });
}
