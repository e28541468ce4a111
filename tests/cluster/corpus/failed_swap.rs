//! A change of a corpus under which documents fail that the corpus has: nothing of it is lost unless its owner agrees.

use super::value;
use postgres::Client;
use socle_tests::{Cluster, error_of, eventually};

/// A corpus of a short and a longer file, which is changed while the longer one is not read.
fn with_failed_change() -> (Cluster, Client) {
    let cluster = Cluster::with_models("");
    let mut client = cluster.connect();
    client
        .batch_execute(
            "CREATE TABLE file (id int PRIMARY KEY, bytes bytea);
             INSERT INTO file VALUES (1, 'The crane is open.'), (2, convert_to(repeat('The tide is low at noon. ', 4000), 'UTF8'));
             SELECT socle.create_corpus('files', source => 'file', document => 'bytes', model => 'minilm', max_attempts => 2)",
        )
        .unwrap();
    client.batch_execute("CALL socle.sync_corpus('files')").unwrap();
    fail_long_files(&cluster, &mut client);
    client.batch_execute("SELECT socle.alter_corpus('files', max_tokens => 100)").unwrap();
    eventually("the change to be held", || (state(&mut client).0 == "paused").then_some(()));
    (cluster, client)
}

/// Sets a limit that the longer file is over.
fn fail_long_files(cluster: &Cluster, client: &mut Client) {
    limit(cluster, client, "SET socle.max_input_bytes = '64kB'", true);
}

/// Removes it.
fn read_long_files(cluster: &Cluster, client: &mut Client) {
    limit(cluster, client, "RESET socle.max_input_bytes", false);
}

fn limit(cluster: &Cluster, client: &mut Client, setting: &str, is_low: bool) {
    client.batch_execute(&format!("ALTER SYSTEM {setting}")).unwrap();
    cluster.reload();
    eventually("the limit", || {
        ((value::<String>(client, "SHOW socle.max_input_bytes") == "64kB") == is_low).then_some(())
    });
    // A worker may not have been told yet; the next one has been.
    let ended =
        "SELECT count(pg_terminate_backend(pid, 60000)) FROM pg_stat_activity WHERE backend_type = 'socle sync'";
    value::<i64>(client, ended);
}

fn state(client: &mut Client) -> (String, String) {
    let sql = "SELECT state, coalesce(state_reason, '') FROM socle.corpus_status WHERE name = 'files~next'";
    client.query_opt(sql, &[]).unwrap().map(|row| (row.get(0), row.get(1))).unwrap_or_default()
}

fn documents(client: &mut Client) -> Vec<i32> {
    value(client, "SELECT array_agg(DISTINCT source_id ORDER BY source_id) FROM files_chunk")
}

#[test]
fn a_corpus_is_not_replaced_by_one_that_lacks_documents_and_says_why() {
    let (cluster, mut client) = with_failed_change();
    let (_, reason) = state(&mut client);
    assert!(
        reason.starts_with("documents have failed of which corpus \"files\" has chunks (1), so it is not replaced"),
        "{reason}"
    );
    for call in
        ["socle.resume_corpus('files~next')", "socle.retry_failed('files~next')", "socle.drop_corpus('files~next')"]
    {
        assert!(reason.contains(call), "{reason}");
    }
    let (code, message, detail, _) = error_of(&client.batch_execute("CALL socle.sync_corpus('files')").unwrap_err());
    assert_eq!((code.as_str(), message.as_str()), ("55000", "corpus \"files~next\" is paused"));
    assert_eq!(detail, reason);
    // The corpus goes on as it was.
    client.batch_execute("INSERT INTO file VALUES (3, 'The gate is shut.')").unwrap();
    assert!(value::<bool>(&mut client, "SELECT socle.wait_for_corpus('files', '1 minute')"));
    assert_eq!(documents(&mut client), [1, 2, 3]);
    // Tried again, it replaces the corpus with everything.
    read_long_files(&cluster, &mut client);
    assert_eq!(value::<i64>(&mut client, "SELECT socle.retry_failed('files~next')"), 1);
    client.batch_execute("SELECT socle.resume_corpus('files~next')").unwrap();
    // By its own name, which it gives up meanwhile.
    client.batch_execute("CALL socle.sync_corpus('files~next')").unwrap();
    assert_eq!(value::<i32>(&mut client, "SELECT max_tokens FROM socle.corpus WHERE name = 'files'"), 100);
    assert_eq!(documents(&mut client), [1, 2, 3]);
    assert_eq!(value::<i64>(&mut client, "SELECT count(*) FROM socle.corpus"), 1);
}

#[test]
fn nobody_agrees_to_what_has_not_been_shown() {
    let (cluster, mut client) = with_failed_change();
    // What was shown is corrected, and something else fails: the same number of documents.
    client.batch_execute("UPDATE file SET bytes = 'The tide is high.' WHERE id = 2").unwrap();
    read_long_files(&cluster, &mut client);
    client
        .batch_execute("INSERT INTO file VALUES (3, convert_to(repeat('The gate is shut. ', 5000), 'UTF8'))")
        .unwrap();
    assert!(value::<bool>(&mut client, "SELECT socle.wait_for_corpus('files', '1 minute')"));
    assert_eq!(documents(&mut client), [1, 2, 3]);
    fail_long_files(&cluster, &mut client);
    client.batch_execute("SELECT socle.resume_corpus('files~next')").unwrap();
    let (code, ..) = error_of(&client.batch_execute("CALL socle.sync_corpus('files')").unwrap_err());
    assert_eq!((code.as_str(), state(&mut client).0.as_str()), ("55000", "paused"));
    assert_eq!(documents(&mut client), [1, 2, 3]);
}

#[test]
fn what_fails_again_holds_the_change_again_until_its_owner_agrees() {
    let (_cluster, mut client) = with_failed_change();
    client.batch_execute("SELECT socle.retry_failed('files~next'); SELECT socle.resume_corpus('files~next')").unwrap();
    eventually("the document to fail again", || {
        let attempts = "SELECT max(attempt_count) FROM \"files~next_change\" WHERE next_attempt_at = 'infinity'";
        (value::<Option<i32>>(&mut client, attempts).is_some() && state(&mut client).0 == "paused").then_some(())
    });
    assert_eq!(documents(&mut client), [1, 2]);
    client.batch_execute("SELECT socle.resume_corpus('files~next')").unwrap();
    client.batch_execute("CALL socle.sync_corpus('files')").unwrap_or_default();
    eventually("the change", || {
        (value::<i32>(&mut client, "SELECT max_tokens FROM socle.corpus WHERE name = 'files'") == 100).then_some(())
    });
    assert_eq!(documents(&mut client), [1]);
    let failed = "SELECT source_key::text FROM socle.job_failure WHERE corpus = 'files'";
    assert_eq!(value::<String>(&mut client, failed), "{\"id\": 2}");
}
