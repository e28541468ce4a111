//! What has changed and has not been worked on is not returned, whoever asks, and the list is full all the same.

use super::{MODES, found, value, wait, with_papers};
use postgres::Client;
use socle_tests::{Raise, eventually};
use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};

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

#[test]
fn freshness_is_no_later_than_the_snapshot() {
    let (_cluster, mut client) = with_papers(20);
    client.batch_execute("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT pg_sleep(0.01)").unwrap();
    let fresh = "SELECT bool_and(fresh_at <= now()) FROM socle.search('paper', 'fox', mode => 'vector')";
    assert!(value::<bool>(&mut client, fresh));
    client.batch_execute("ROLLBACK").unwrap();
}

#[test]
fn a_snapshot_older_than_the_corpus_mixes_nothing() {
    let (cluster, mut client) = with_papers(20);
    client.batch_execute("CALL socle.sync_corpus('paper')").unwrap();
    let mut old = cluster.connect();
    old.batch_execute("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT").unwrap();
    assert_eq!(value::<i32>(&mut old, "SELECT 1"), 1);
    let all: i64 = value(&mut client, "SELECT count(*) FROM socle.search('paper', 'fox', mode => 'keyword')");
    // Its snapshot is taken before, and what it searches in is looked up after it has waited for the lock.
    let late = "SELECT count(*) FROM pg_advisory_lock(7) l, LATERAL socle.search('paper', 'fox' || l::text, mode => 'keyword')";
    client.batch_execute("SELECT pg_advisory_lock(7)").unwrap();
    std::thread::scope(|scope| {
        let counted = scope.spawn(|| value::<i64>(&mut cluster.connect(), late));
        let waits = "SELECT true FROM pg_stat_activity WHERE wait_event = 'advisory' AND query LIKE '%LATERAL%'";
        eventually("the statement has begun", || client.query_opt(waits, &[]).unwrap());
        // As when altered documents take the place of what was there; that waits for a snapshot like the other, as a rule.
        client
            .batch_execute(
                "ALTER TABLE paper_chunk RENAME TO former_chunk; CREATE TABLE paper_chunk (LIKE former_chunk);
                 SELECT pg_advisory_unlock(7)",
            )
            .unwrap();
        assert_eq!(counted.join().unwrap(), all);
    });
    let sql = "SELECT * FROM socle.search('paper', 'fox', mode => 'keyword')";
    let (code, message, ..) = socle_tests::error_of(&old.query(sql, &[]).unwrap_err());
    assert_eq!((code.as_str(), message.as_str()), ("40001", "corpus \"paper\" was made anew meanwhile"));
    old.batch_execute("ROLLBACK").unwrap();
    assert_eq!(old.query(sql, &[]).unwrap().len(), client.query(sql, &[]).unwrap().len());
}

/// In one snapshot: results whose text is not that of their row, and results.
const TRUTH: &str = "
    SELECT count(*) FILTER (WHERE s.content IS DISTINCT FROM p.body), count(*)
    FROM socle.search('paper', 'the fox beside the river', mode => $1, result_limit => 40) s
    LEFT JOIN paper p ON p.id = (s.source_key->>'id')::int";

/// Papers with a chunk and no change that waits.
const UNCHANGED: &str = "
    SELECT count(*) FROM paper JOIN paper_chunk k ON k.source_id = id
    WHERE NOT EXISTS (SELECT FROM paper_change c WHERE c.source_id = id OR id = ANY (c.batch_1))";

#[test]
fn no_result_differs_from_its_row_while_everything_changes() {
    let (cluster, mut client) = with_papers(60);
    client
        .batch_execute(
            "CREATE ROLE reader; GRANT SELECT ON paper, paper_chunk TO reader;
             ALTER TABLE paper ENABLE ROW LEVEL SECURITY; CREATE POLICY seen ON paper TO reader USING (id % 2 = 0)",
        )
        .unwrap();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let _end = Raise(&done);
        for writer in 0..2 {
            let (cluster, done) = (&cluster, &done);
            scope.spawn(move || {
                let mut client = cluster.connect();
                let mut number = writer;
                while !done.load(Ordering::Relaxed) {
                    number += 2;
                    let id = number % 60 + 1;
                    let write = match number / 2 % 5 {
                        0 => format!("DELETE FROM paper WHERE id = {id}"),
                        1 | 2 => format!("UPDATE paper SET body = sentence({number}) || ' Version {number}.' WHERE id = {id}"),
                        _ => format!("INSERT INTO paper VALUES ({id}, 'again', sentence({number}) || ' Version {number}.', 1, 1) ON CONFLICT DO NOTHING"),
                    };
                    client.batch_execute(&write).unwrap();
                    std::thread::sleep(std::time::Duration::from_millis(3));
                }
            });
        }
        for round in 0..150 {
            let mode = MODES[round % MODES.len()];
            let with_papers = format!("SELECT t.*, ({UNCHANGED}) FROM ({TRUTH}) AS t (different, results)");
            let row = client.query_one(&with_papers, &[&mode]).unwrap();
            let (different, results, papers): (i64, i64, i64) = (row.get(0), row.get(1), row.get(2));
            assert_eq!(different, 0, "{mode}");
            assert!(mode == "keyword" || results == papers.min(40), "{mode}: {results} of {papers}");
            client.batch_execute("SET ROLE reader").unwrap();
            let row = client.query_one(TRUTH, &[&mode]).unwrap();
            assert_eq!(row.get::<_, i64>(0), 0, "{mode}");
            client.batch_execute("RESET ROLE").unwrap();
        }
    });
    wait(&mut client);
    let problems = client.query("SELECT * FROM socle.verify_corpus('paper')", &[]).unwrap();
    assert_eq!(problems.len(), 0);
}
