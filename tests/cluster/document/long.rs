//! Documents that take minutes: other documents do not wait for them, and nobody works on what is no longer wanted.

use super::ocr::session;
use super::ocr_limit::noise;
use super::value;
use postgres::Client;
use socle_tests::{Cluster, eventually, signal};

/// Pages of a scan that no machine recognises while a test runs.
const PAGES: u32 = 500;

/// A cluster with a corpus of so many scans, all that can be under way at once of which are.
fn with_scans(count: i32) -> (Cluster, Client) {
    let cluster = Cluster::with_models("socle.ocr_timeout = 0\nsocle.sync_workers = 2");
    let mut client = session(&cluster);
    client
        .batch_execute(
            "CREATE TABLE scan (id int PRIMARY KEY, bytes bytea);
             SELECT socle.create_corpus('scans', source => 'scan', document => 'bytes', model => 'minilm')",
        )
        .unwrap();
    for id in 1..=count {
        client.execute("INSERT INTO scan VALUES ($1, $2)", &[&id, &noise(PAGES, id as u64)]).unwrap();
    }
    let busy = count.min(4);
    eventually("the scans to be read", || (readers(&cluster) >= busy as usize).then_some(()));
    (cluster, client)
}

/// The number of processes that read documents for the engine of a cluster.
fn readers(cluster: &Cluster) -> usize {
    let Some(engine) = cluster.engine_pid() else { return 0 };
    let status = |pid: u32| -> Option<(String, u32)> {
        let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        let (name, rest) = text.split_once('(')?.1.rsplit_once(')')?;
        Some((name.into(), rest.split_whitespace().nth(1)?.parse().ok()?))
    };
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    processes
        .filter_map(|entry| status(entry.file_name().to_str()?.parse().ok()?))
        .filter(|(name, parent)| name == "socle reader" && status(*parent).is_some_and(|(_, parent)| parent == engine))
        .count()
}

/// Waits until nobody reads a document any more.
fn wait_for_end(cluster: &Cluster, after: &str) {
    eventually(&format!("reading to end after {after}"), || (readers(cluster) == 0).then_some(()));
}

fn pending(client: &mut Client, corpus: &str) -> i64 {
    client.query_one("SELECT pending_count FROM socle.corpus_status WHERE name = $1", &[&corpus]).unwrap().get(0)
}

fn attempts(client: &mut Client, corpus: &str) -> i32 {
    value(client, &format!("SELECT max(attempt_count) FROM {corpus}_change"))
}

#[test]
fn long_scans_do_not_keep_other_documents_waiting() {
    // More than both workers have under way at once, and of two corpora.
    let (_cluster, mut client) = with_scans(5);
    client
        .batch_execute(
            "CREATE TABLE scan2 (id int PRIMARY KEY, bytes bytea); INSERT INTO scan2 SELECT * FROM scan;
             SELECT socle.create_corpus('scans2', source => 'scan2', document => 'bytes', model => 'minilm');
             CREATE TABLE note (id int PRIMARY KEY, text text); INSERT INTO note VALUES (1, 'The tide is low at noon.');
             SELECT socle.create_corpus('notes', source => 'note', content => '{text}', model => 'minilm');
             CREATE TABLE page (id int PRIMARY KEY, bytes bytea);
             SELECT socle.create_corpus('pages', source => 'page', document => 'bytes', model => 'minilm');
             INSERT INTO page SELECT g, convert_to('<p>Crane ' || g || ' is open.</p>', 'UTF8') FROM generate_series(1, 50) g",
        )
        .unwrap();
    for corpus in ["notes", "pages"] {
        let complete: bool =
            client.query_one("SELECT socle.wait_for_corpus($1, '8 minutes')", &[&corpus]).unwrap().get(0);
        assert!(complete, "{corpus}");
    }
    client
        .batch_execute("INSERT INTO page VALUES (51, 'Crane 51 is open.'); UPDATE note SET text = 'High tide.'")
        .unwrap();
    for corpus in ["notes", "pages"] {
        assert!(
            client.query_one("SELECT socle.wait_for_corpus($1, '8 minutes')", &[&corpus]).unwrap().get::<_, bool>(0),
            "{corpus}"
        );
    }
    assert_eq!(value::<i64>(&mut client, "SELECT count(*) FROM pages_chunk"), 51);
    assert_eq!((pending(&mut client, "scans"), pending(&mut client, "scans2")), (5, 5));
    eventually("the reason why its scans wait", || {
        let reason = "SELECT coalesce(state_reason, '') FROM socle.corpus_status WHERE name = 'scans2'";
        value::<String>(&mut client, reason).starts_with("long documents wait until").then_some(())
    });
    assert_eq!(attempts(&mut client, "scans2"), 0, "what is put off has not failed");
}

#[test]
fn scans_that_were_read_when_the_engine_died_hold_up_nobody_afterwards() {
    let (cluster, mut client) = with_scans(3);
    let engine = cluster.wait_for_engine();
    signal(engine, libc::SIGKILL);
    eventually("the scans to be read again", || {
        (cluster.engine_pid().is_some_and(|now| now != engine) && readers(&cluster) == 3).then_some(())
    });
    client
        .batch_execute(
            "SET statement_timeout = '1min'; SELECT socle.embed_query('tide', 'minilm');
             CREATE TABLE note (id int PRIMARY KEY, text text); INSERT INTO note VALUES (1, 'The tide is low at noon.');
             SELECT socle.create_corpus('notes', source => 'note', content => '{text}', model => 'minilm')",
        )
        .unwrap();
    assert!(value::<bool>(&mut client, "SELECT socle.wait_for_corpus('notes', '50 s')"));
    assert_eq!((pending(&mut client, "scans"), readers(&cluster)), (3, 3));
    assert_eq!(value::<i64>(&mut client, "SELECT count(*) FROM socle.job_failure"), 0);
}

#[test]
fn documents_whose_tables_are_locked_are_handed_back_later() {
    let (cluster, mut client) = with_scans(2);
    client
        .batch_execute(
            "CREATE TABLE note (id int PRIMARY KEY, text text);
             SELECT socle.create_corpus('notes', source => 'note', content => '{text}', model => 'minilm')",
        )
        .unwrap();
    let mut other = session(&cluster);
    let mut lock = other.transaction().unwrap();
    lock.batch_execute("LOCK TABLE scans_change IN ACCESS EXCLUSIVE MODE").unwrap();
    client.batch_execute("SELECT socle.pause_corpus('scans')").unwrap();
    wait_for_end(&cluster, "pause_corpus");
    client.batch_execute("INSERT INTO note VALUES (1, 'The tide is low at noon.')").unwrap();
    assert!(value::<bool>(&mut client, "SELECT socle.wait_for_corpus('notes', '1 minute')"));
    lock.commit().unwrap();
    client.batch_execute("SELECT socle.resume_corpus('scans')").unwrap();
    eventually("the scans to be read again", || (readers(&cluster) == 2).then_some(()));
    assert_eq!(attempts(&mut client, "scans"), 0);
}

#[test]
fn a_worker_that_is_ended_costs_no_document_an_attempt() {
    let (cluster, mut client) = with_scans(1);
    let ended =
        "SELECT count(pg_terminate_backend(pid, 60000)) FROM pg_stat_activity WHERE backend_type = 'socle sync'";
    assert!(value::<i64>(&mut client, ended) > 0);
    wait_for_end(&cluster, "the end of the worker");
    eventually("the scan to be read again", || (readers(&cluster) == 1).then_some(()));
    assert_eq!(attempts(&mut client, "scans"), 0);
}

#[test]
fn what_is_no_longer_wanted_is_not_read_on() {
    let (cluster, mut client) = with_scans(2);
    client.batch_execute("SELECT socle.pause_corpus('scans')").unwrap();
    wait_for_end(&cluster, "pause_corpus");
    client.batch_execute("SELECT socle.resume_corpus('scans')").unwrap();
    eventually("the scans to be read again", || (readers(&cluster) == 2).then_some(()));
    client.batch_execute("DELETE FROM scan WHERE id = 1").unwrap();
    eventually("the deleted scan to be left", || (readers(&cluster) == 1).then_some(()));
    // Nothing of it comes later, though it was being read for the first time.
    client.batch_execute("TRUNCATE scan").unwrap();
    wait_for_end(&cluster, "TRUNCATE");
    assert!(value::<bool>(&mut client, "SELECT socle.wait_for_corpus('scans', '1 minute')"));
    assert_eq!(value::<i64>(&mut client, "SELECT count(*) FROM scans_document"), 0);
    client.execute("INSERT INTO scan VALUES (3, $1)", &[&noise(PAGES, 3)]).unwrap();
    eventually("the next scan to be read", || (readers(&cluster) == 1).then_some(()));
    client.batch_execute("DROP TABLE scan CASCADE").unwrap();
    wait_for_end(&cluster, "DROP TABLE");
}

#[test]
fn a_corpus_that_is_dropped_or_replaced_leaves_no_work() {
    let (cluster, mut client) = with_scans(1);
    client.batch_execute("SELECT socle.alter_corpus('scans', ocr => 'off')").unwrap();
    wait_for_end(&cluster, "the swap of a corpus that recognises nothing");
    let state: String = value(&mut client, "SELECT ocr FROM socle.corpus WHERE name = 'scans'");
    assert_eq!(state, "off");
    client.batch_execute("SELECT socle.drop_corpus('scans')").unwrap();
    client
        .batch_execute("SELECT socle.create_corpus('scans', source => 'scan', document => 'bytes', model => 'minilm')")
        .unwrap();
    eventually("the scan to be read", || (readers(&cluster) == 1).then_some(()));
    client.batch_execute("ALTER SYSTEM SET socle.sync_workers = 0").unwrap();
    cluster.reload();
    wait_for_end(&cluster, "socle.sync_workers = 0");
    client.batch_execute("ALTER SYSTEM SET socle.sync_workers = 2").unwrap();
    cluster.reload();
    eventually("the scan to be read again", || (readers(&cluster) == 1).then_some(()));
    client.batch_execute("SELECT socle.drop_corpus('scans')").unwrap();
    wait_for_end(&cluster, "drop_corpus");
}
