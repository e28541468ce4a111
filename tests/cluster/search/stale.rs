//! What has changed and has not been worked on is not returned, whoever asks, and the list is full all the same.

use super::{MODES, found, value, wait, with_papers};
use postgres::Client;
use std::collections::HashSet;

/// Whether the keyword index has anything: without segments words find nothing.
fn indexed(client: &mut Client) -> bool {
    value(client, "SELECT EXISTS (SELECT FROM socle.keyword_file)")
}

/// In every mode and for both roles: none of these, and as many as were asked for.
fn check(client: &mut Client, changed: impl Fn(i32) -> bool, left: usize, what: &str) {
    let indexed = indexed(client);
    for role in ["postgres", "reader"] {
        client.batch_execute(&format!("SET ROLE {role}")).unwrap();
        for mode in MODES {
            let result = found(client, &format!("'the fox beside the river', mode => '{mode}', result_limit => 20"));
            let stale: Vec<&i32> = result.iter().filter(|id| changed(**id)).collect();
            assert!(stale.is_empty(), "{what}, {role}, {mode}: {stale:?}");
            assert_eq!(result.iter().collect::<HashSet<_>>().len(), result.len());
            if mode != "keyword" || indexed {
                assert_eq!(result.len(), left.min(20), "{what}, {role}, {mode}");
            }
        }
        client.batch_execute("RESET ROLE").unwrap();
    }
}

#[test]
fn what_has_changed_is_not_returned_until_it_has_been_worked_on() {
    let (cluster, mut client) = with_papers(600);
    client
        .batch_execute(
            "CREATE ROLE reader; GRANT SELECT ON paper, paper_chunk TO reader;
             ALTER TABLE paper ENABLE ROW LEVEL SECURITY; CREATE POLICY seen ON paper TO reader USING (id > 0);
             SELECT socle.pause_corpus('paper')",
        )
        .unwrap();
    check(&mut client, |_| false, 600, "nothing has changed");

    // The first statement is not committed: its own session knows.
    client.batch_execute("BEGIN; UPDATE paper SET body = 'all about tax law' WHERE id % 3 = 0").unwrap();
    check(&mut client, |id| id % 3 == 0, 400, "updated in this transaction");
    let mut other = cluster.connect();
    check(&mut other, |_| false, 600, "updated by another transaction that has not committed");
    client.batch_execute("COMMIT").unwrap();
    check(&mut other, |id| id % 3 == 0, 400, "updated");

    client.batch_execute("DELETE FROM paper WHERE id % 3 = 1").unwrap();
    check(&mut client, |id| id % 3 != 2, 200, "deleted too");

    client
        .batch_execute("UPDATE paper SET id = id + 10000 WHERE id = 2; UPDATE paper SET title = 'another' WHERE id = 5")
        .unwrap();
    check(&mut client, |id| id % 3 != 2 || id == 2 || id > 10_000, 199, "renamed too");
    client.batch_execute("SELECT socle.resume_corpus('paper')").unwrap();
    wait(&mut client);
    check(&mut client, |id| id % 3 == 1, 400, "worked on");
}

#[test]
fn changes_of_many_rows_at_once_count_as_much() {
    let (_cluster, mut client) = with_papers(600);
    client
        .batch_execute(
            "CREATE ROLE reader; GRANT SELECT ON paper, paper_chunk TO reader; SELECT socle.pause_corpus('paper');
             INSERT INTO paper SELECT i, 'new', sentence(i), 1, 1 FROM generate_series(1001, 9000) i;
             UPDATE paper SET level = level + 1, body = body || ' Twice.' WHERE id <= 500",
        )
        .unwrap();
    let batches: bool = value(&mut client, "SELECT EXISTS (SELECT FROM paper_change WHERE batch_1 IS NOT NULL)");
    assert!(batches, "many keys are in one row of the log");
    check(&mut client, |id| id <= 500 || id > 1000, 100, "many rows");

    client.batch_execute("BEGIN; TRUNCATE paper").unwrap();
    for mode in MODES {
        assert_eq!(found(&mut client, &format!("'fox', mode => '{mode}'")), Vec::<i32>::new(), "truncated");
    }
    // Everything is to be compared: what has come back as it was is returned.
    client
        .batch_execute("INSERT INTO paper SELECT i, 'paper ' || i, sentence(i), 1, 1 FROM generate_series(1, 50) i")
        .unwrap();
    check(&mut client, |id| id > 50, 0, "truncated and filled again, with an entry for each");
    client.batch_execute("ROLLBACK").unwrap();
    check(&mut client, |id| id <= 500 || id > 1000, 100, "rolled back");
}

#[test]
fn freshness_is_the_time_of_the_oldest_change_that_waits() {
    let (_cluster, mut client) = with_papers(20);
    let fresh = "SELECT bool_and(fresh_at = statement_timestamp()) FROM socle.search('paper', 'fox', mode => 'vector')";
    assert!(value::<bool>(&mut client, fresh));
    client.batch_execute("SELECT socle.pause_corpus('paper'); UPDATE paper SET body = 'x' WHERE id = 1").unwrap();
    let sql = "SELECT bool_and(fresh_at = (SELECT changed_at FROM paper_change)) FROM socle.search('paper', 'fox', mode => 'vector')";
    assert!(value::<bool>(&mut client, sql));
}
