//! What an erasure waits for is said, and it waits for nothing else: not for other corpora, nor for earlier erasures.

use super::{SECRET, forget, residues, wait_for, with_secret, with_secret_and};
use postgres::Client;
use socle_tests::{error_of, eventually};

/// State and reason of the erasures of a corpus that are not done.
fn pending(client: &mut Client, corpus: &str) -> Option<String> {
    let sql = "SELECT state_reason FROM socle.erasure_status WHERE corpus = $1 AND state <> 'done'";
    client.query_opt(sql, &[&corpus]).unwrap().map(|row| row.get(0))
}

#[test]
fn neither_a_corpus_that_fails_nor_earlier_erasures_hold_it_up() {
    let (_cluster, mut client) = with_secret();
    client
        .batch_execute(
            "CREATE FUNCTION no_index() RETURNS event_trigger LANGUAGE plpgsql AS $$BEGIN
                 IF (SELECT backend_type FROM pg_stat_activity WHERE pid = pg_backend_pid()) = 'socle index' THEN RAISE 'no index today'; END IF; END$$;
             CREATE EVENT TRIGGER no_index ON ddl_command_start WHEN TAG IN ('CREATE INDEX') EXECUTE FUNCTION no_index();
             CREATE TABLE other (id int PRIMARY KEY, body text); INSERT INTO other VALUES (1, 'body');
             SELECT socle.create_corpus('failing', 'other', ARRAY['body'], model => 'minilm')",
        )
        .unwrap();
    eventually("its index has failed", || {
        let sql = "SELECT state_reason FROM socle.corpus_status WHERE name = 'failing'";
        client
            .query_one(sql, &[])
            .unwrap()
            .get::<_, Option<String>>(0)
            .filter(|reason| reason.contains("SQLSTATE P0001"))
    });
    // Each would have waited for twice as long as the one before: the last for two minutes.
    for id in 1..=10 {
        let receipt = forget(&mut client, &format!("'handbook', '{{\"id\": {id}}}', delete_source => true"));
        let waited = client.batch_execute(&format!("CALL socle.wait_for_erasure($${receipt}$$, '60 s')"));
        if let Err(error) = waited {
            panic!("erasure {id}: {:?}", error_of(&error));
        }
    }
    let state: String =
        client.query_one("SELECT state FROM socle.corpus_status WHERE name = 'failing'", &[]).unwrap().get(0);
    assert_eq!(state, "filling", "its index is not there, or nothing has been shown");
}

#[test]
fn an_old_snapshot_is_named_with_its_process_and_what_keeps_all_workers_from_working() {
    let (cluster, mut client) = with_secret();
    let mut reader = cluster.connect();
    let process: i32 = reader.query_one("SELECT pg_backend_pid()", &[]).unwrap().get(0);
    reader.batch_execute("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM article").unwrap();
    let receipt = forget(&mut client, r#"'handbook', '{"id": 7}', delete_source => true"#);
    let named = format!("process {process} may still see deleted rows");
    eventually("the process is named", || pending(&mut client, "handbook").filter(|reason| reason.contains(&named)));
    let sql = "SELECT next_attempt_at IS NOT NULL FROM socle.erasure_status";
    assert!(client.query_one(sql, &[]).unwrap().get::<_, bool>(0));
    let waited = client.batch_execute(&format!("CALL socle.wait_for_erasure($${receipt}$$, '0 s')"));
    let (state, _, detail, _) = error_of(&waited.unwrap_err());
    assert!(state == "55000" && detail.contains(&named), "{state} {detail}");
    cluster.configure("socle.sync_workers = 0");
    cluster.reload();
    eventually("it says that there are no workers", || {
        pending(&mut client, "handbook").filter(|reason| reason.contains("socle.sync_workers is 0"))
    });
    cluster.configure("socle.sync_workers = 2");
    cluster.reload();
    client.batch_execute("SELECT socle.pause_corpus('handbook')").unwrap();
    let reason = pending(&mut client, "handbook").unwrap();
    assert!(
        reason.starts_with("the corpus is paused (") && reason.ends_with("it goes on once that is over"),
        "{reason}"
    );
    client.batch_execute("SELECT socle.resume_corpus('handbook')").unwrap();
    reader.batch_execute("COMMIT").unwrap();
    wait_for(&mut client, &receipt);
    assert_eq!(residues(&mut client, &receipt, &[SECRET]), []);
}

/// Without preloading, as with it: the first session that has a supervisor started has all databases looked at, and so has
/// whoever looks at the erasure.
#[test]
fn it_is_taken_up_after_a_restart_without_a_word_about_its_corpus() {
    let (cluster, mut client) = with_secret();
    client.batch_execute("CREATE DATABASE other").unwrap();
    cluster.connect_to("other").batch_execute("CREATE EXTENSION socle CASCADE").unwrap();
    for by_status in [false, true] {
        cluster.configure("socle.sync_workers = 0");
        cluster.reload();
        let sql = "SELECT count(*) = 0 FROM pg_stat_activity WHERE backend_type LIKE 'socle %'";
        eventually("no worker is there", || client.query_one(sql, &[]).unwrap().get::<_, bool>(0).then_some(()));
        let id = 7 + i32::from(by_status);
        forget(&mut client, &format!("'handbook', '{{\"id\": {id}}}', delete_source => true"));
        drop(client);
        cluster.stop("fast");
        cluster.configure("socle.sync_workers = 2");
        cluster.start();
        client = cluster.wait_for_connection();
        if !by_status {
            // Reads a document in the engine, and so starts a supervisor, for a database without any corpus.
            cluster.connect_to("other").query("SELECT socle.extract_text('<p>a</p>'::bytea)", &[]).unwrap();
        }
        // The table says nothing to anybody; the view wakes a worker.
        let from = if by_status { "socle.erasure_status" } else { "socle.erasure" };
        let sql = format!("SELECT bool_and(state = 'done') FROM {from}");
        eventually("it is done", || client.query_one(&sql, &[]).unwrap().get::<_, bool>(0).then_some(()));
    }
}

#[test]
fn it_takes_part_in_two_phases_and_its_verification_is_told() {
    let (_cluster, mut client) = with_secret_and("max_prepared_transactions = 5");
    let prepared = |client: &mut Client, id: i32| {
        client.batch_execute("BEGIN").unwrap();
        let receipt = forget(client, &format!("'handbook', '{{\"id\": {id}}}', delete_source => true"));
        client.batch_execute("PREPARE TRANSACTION 'both'").unwrap();
        receipt
    };
    let state = "SELECT transaction_state FROM socle.ledger WHERE kind = 'erase' ORDER BY number DESC LIMIT 1";
    let state = |client: &mut Client| {
        // PostgreSQL tells nothing of the newest transaction while it is under way.
        client.batch_execute("SELECT pg_current_xact_id()").unwrap();
        client.query_one(state, &[]).unwrap().get::<_, Option<String>>(0)
    };
    let receipt = prepared(&mut client, 8);
    assert_eq!(state(&mut client).as_deref(), Some("in progress"));
    client.batch_execute("ROLLBACK PREPARED 'both'").unwrap();
    assert_eq!(state(&mut client).as_deref(), Some("aborted"));
    let waited = client.batch_execute(&format!("CALL socle.wait_for_erasure($${receipt}$$)"));
    assert_eq!(error_of(&waited.unwrap_err()).0, "55000", "it never happened");
    let receipt = prepared(&mut client, 7);
    client.batch_execute("COMMIT PREPARED 'both'").unwrap();
    assert_eq!(state(&mut client).as_deref(), Some("committed"));
    wait_for(&mut client, &receipt);
    assert_eq!(residues(&mut client, &receipt, &[SECRET]), []);
    client.batch_execute("INSERT INTO article VALUES (7, 'again', 'again')").unwrap();
    assert!(!residues(&mut client, &receipt, &[]).is_empty());
    let told = "SELECT entry -> 'data' ->> 'erasure', (entry -> 'data' ->> 'residues')::int, (entry -> 'data' ->> 'words')::int,
                       (entry -> 'data' ->> 'looked_at_files')::boolean
                FROM socle.ledger WHERE kind = 'verify_erasure' ORDER BY number";
    let told = client.query(told, &[]).unwrap();
    let erasure = receipt["erasure"].as_str().unwrap();
    assert!(told.iter().all(|row| row.get::<_, &str>(0) == erasure && row.get::<_, bool>(3)));
    let counts: Vec<(i32, i32)> = told.iter().map(|row| (row.get(1), row.get(2))).collect();
    assert_eq!((counts.len(), counts[0], counts[1].0 > 0, counts[1].1), (2, (0, 1), true, 0));
}
