//! `socle.extract` and its companions: memory that a large document costs the session, and cancellation of a session
//! that waits.

use super::value;
use postgres::{Client, NoTls};
use socle_tests::{Cluster, PATIENCE, error_of, eventually};
use std::time::Instant;

/// Sets `document` to a file that takes its reader far longer than any test waits.
const LONG: &str =
    "CREATE TABLE long AS SELECT convert_to(repeat(E'<div><p>word <b>bold</b>\\n', 1200000), 'UTF8') AS document";

/// SIGSTOP.
const STOP: i32 = 19;

/// Most memory that a process has had, in MB.
fn peak(pid: i32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() >> 10
}

#[test]
fn rows_are_made_one_by_one() {
    let cluster = Cluster::with_models("");
    let mut client = cluster.connect();
    let pid: i32 = value(&mut client, "SELECT pg_backend_pid()");
    // Six headings of 500 characters above each of 300,000 paragraphs: 900 MB of heading paths out of 1 MB.
    let document = "SELECT string_agg(repeat('#', level) || ' ' || repeat('h', 500), E'\\n\\n') || E'\\n\\n' || repeat(E'x\\n\\n', 300000) FROM generate_series(1, 6) level";
    client
        .batch_execute(&format!("CREATE TABLE document AS SELECT convert_to(({document}), 'UTF8') AS bytes"))
        .unwrap();
    let sql = "SELECT count(*) FROM (SELECT socle.extract(bytes, 'text/markdown') FROM document OFFSET 0) AS row";
    assert_eq!(value::<i64>(&mut client, sql), 300_006);
    assert!(peak(pid) < 400, "{} MB", peak(pid));
    // Ten rows cost no more than ten rows.
    let first = "SELECT (socle.extract(bytes, 'text/markdown')).heading_path FROM document LIMIT 10";
    let paths: Vec<Vec<String>> = client.query(first, &[]).unwrap().into_iter().map(|row| row.get(0)).collect();
    assert_eq!((paths[0].len(), paths[5].len(), paths[9].len()), (0, 5, 6));
    let last = "SELECT content FROM document, socle.extract(bytes, 'text/markdown') WHERE ordinal = 300006";
    assert_eq!(value::<String>(&mut client, last), "x");
}

/// The processes that read documents for a cluster.
fn readers(cluster: &Cluster) -> Vec<u32> {
    let children = |parent: u32| {
        let path = format!("/proc/{parent}/task/{parent}/children");
        let pids = std::fs::read_to_string(path).unwrap_or_default();
        pids.split_whitespace().filter_map(|pid| pid.parse::<u32>().ok()).collect::<Vec<_>>()
    };
    let nurseries = cluster.engine_pid().map(children).unwrap_or_default();
    nurseries.into_iter().flat_map(children).collect()
}

/// Has a session read a long document, calls `interrupt` as soon as its reader exists, and returns the error, once no
/// process works for the session any more.
fn interrupted(cluster: &Cluster, mut client: Client, interrupt: impl FnOnce()) -> (postgres::Error, Client) {
    assert!(readers(cluster).is_empty());
    std::thread::scope(|scope| {
        let statement = scope.spawn(|| {
            let error = client.simple_query("SELECT socle.extract_text(document) FROM long").unwrap_err();
            (error, client)
        });
        let reader = eventually("a reader", || readers(cluster).first().copied());
        // However fast the machine is, this document is not read completely by then.
        socle_tests::signal(reader, STOP);
        interrupt();
        let (error, client) = statement.join().unwrap();
        eventually("no reader", || readers(cluster).is_empty().then_some(()));
        (error, client)
    })
}

#[test]
fn whoever_waits_for_a_reader_can_be_cancelled_timed_out_and_terminated() {
    let cluster = Cluster::with_models("");
    let mut observer = cluster.connect();
    observer.batch_execute(LONG).unwrap();
    observer.execute("SELECT socle.extract_text('warm')", &[]).unwrap();

    let client = cluster.connect();
    let token = client.cancel_token();
    let begun = Instant::now();
    let (error, mut client) = interrupted(&cluster, client, || token.cancel_query(NoTls).unwrap());
    // Long enough for a reader to exist by then, on this machine under its present load.
    let patience = begun.elapsed().as_millis() * 3 + 1000;
    assert_eq!(error_of(&error).0, "57014");
    assert_eq!(value::<String>(&mut client, "SELECT socle.extract_text('the session goes on')"), "the session goes on");

    client.batch_execute(&format!("SET statement_timeout = {patience}")).unwrap();
    let (error, mut client) = interrupted(&cluster, client, || ());
    assert_eq!(error_of(&error).0, "57014");
    client.batch_execute("RESET statement_timeout").unwrap();
    assert_eq!(value::<String>(&mut client, "SELECT socle.extract_text('the session goes on')"), "the session goes on");

    let pid: i32 = value(&mut client, "SELECT pg_backend_pid()");
    let (error, _) = interrupted(&cluster, client, || {
        observer.execute("SELECT pg_terminate_backend($1)", &[&pid]).unwrap();
    });
    // The client may find the connection closed before the client has read the error.
    assert!(error.is_closed() || error_of(&error).0 == "57P01", "{error:?}");
}

#[test]
fn files_of_a_corpus_that_never_end_keep_no_session_waiting() {
    let cluster = Cluster::with_models("socle.engine_threads = 1\nsocle.extract_timeout = 60");
    let mut client = cluster.connect();
    client.batch_execute(LONG).unwrap();
    client.batch_execute("CREATE TABLE file (id int PRIMARY KEY, data bytea); INSERT INTO file SELECT i, document FROM long, generate_series(1, 4) i").unwrap();
    client.batch_execute("SELECT socle.create_corpus('files', 'file', model => 'minilm', document => 'data')").unwrap();
    let reader = eventually("a reader", || readers(&cluster).first().copied());
    socle_tests::signal(reader, STOP);
    let begun = Instant::now();
    client.batch_execute("SELECT socle.extract_text('a file')").unwrap();
    assert!(begun.elapsed() < PATIENCE, "{:?}", begun.elapsed());
    assert!(readers(&cluster).contains(&reader));
}
