//! What has changed and has not been processed is not returned, to any role, and the list is full all the same.

use super::{MODES, drain, found, listening, value, wait, with_papers};
use postgres::Client;
use socle_tests::{Raise, eventually};
use std::collections::HashSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

/// Whether the keyword index has anything: without segments keywords find nothing.
fn indexed(client: &mut Client) -> bool {
    value(client, "SELECT EXISTS (SELECT FROM socle.keyword_segment_part)")
}

/// Checks in every mode and for both roles: none of these documents, and as many results as were asked for.
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

    // The first statement is not committed: the session that ran it sees its own change.
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
    check(&mut client, |id| id > 50, 50, "truncated and filled again with what the chunks were made from");
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
    // The snapshot of the search is taken before the lock is waited for; the tables are looked up afterwards.
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
    assert_eq!((code.as_str(), message.as_str()), ("40001", "corpus \"paper\" was recreated concurrently"));
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

/// Results with whether they are stale, and what the server says.
fn shown(client: &mut Client, arguments: &str) -> Vec<(i32, bool, String)> {
    let sql = format!("SELECT (source_key->>'id')::int, stale, content FROM socle.search('paper', {arguments})");
    let rows = client.query(&sql, &[]).unwrap_or_else(|error| panic!("{arguments}: {error:?}"));
    rows.iter().map(|row| (row.get(0), row.get(1), row.get(2))).collect()
}

/// A session that has changed the best result: left out, or shown as stale, in whatever way it searches.
fn however_it_is_asked(listener: &mut Client, told: &Mutex<Vec<String>>, before: &[(i32, bool, String)]) {
    let (query, changed) = ("'the fox beside the river', result_limit => 10", before[0].0);
    for more in ["group_by_document => true", "rerank_model => 'reranker'", "neighbours => 1", "diversity => 0.2"] {
        let results = shown(listener, &format!("{query}, stale => 'show', {more}"));
        assert!(results.iter().any(|(id, stale, _)| *id == changed && *stale), "{more}");
        drain(told);
        assert!(shown(listener, &format!("{query}, {more}")).iter().all(|(_, stale, _)| !stale), "{more}");
        assert!(drain(told).contains("left out"), "{more}");
    }
    let last = before[9].0;
    listener.batch_execute(&format!("BEGIN; UPDATE paper SET body = 'mine' WHERE id = {last}")).unwrap();
    let results = shown(listener, &format!("{query}, stale => 'show'"));
    assert!(results.contains(&(last, true, before[9].2.clone())), "{results:?}");
    listener.batch_execute("ROLLBACK").unwrap();
}

fn what_explains_it(listener: &mut Client, query: &str) {
    let explained = |client: &mut Client, more: &str| {
        let sql = format!(
            "SELECT string_agg(step || ': ' || detail, E'\\n') FROM socle.explain_search('paper', {query}{more})"
        );
        value::<String>(client, &sql)
    };
    let words = explained(listener, "");
    assert!(words.contains("total: 10 results, 2 left out because changes of their documents are pending"), "{words}");
    let words = explained(listener, ", stale => 'show'");
    assert!(
        words.contains("; stale: its document has changed since") && words.contains("2 stale ones among the ranked"),
        "{words}"
    );
    let both = format!("SELECT count(*) FROM socle.search('{{paper,paper}}', {query}, stale => 'show') WHERE stale");
    assert_eq!(value::<i64>(listener, &both), 2);
}

#[test]
fn what_is_left_out_is_said_and_shown_to_those_who_ask_for_it() {
    let (cluster, mut client) = with_papers(60);
    client
        .batch_execute(
            "CREATE ROLE reader; GRANT SELECT ON paper, paper_chunk TO reader;
             ALTER TABLE paper ENABLE ROW LEVEL SECURITY; CREATE POLICY seen ON paper TO reader USING (tenant <> 6);
             SELECT socle.pause_corpus('paper')",
        )
        .unwrap();
    let (mut listener, told) = listening(&cluster);
    let query = "'the fox beside the river', result_limit => 10";
    let before = shown(&mut listener, query);
    assert!(before.len() == 10 && before.iter().all(|(_, stale, _)| !stale));
    assert!(!drain(&told).contains("left out"), "nothing has changed");

    // The best is changed, the second is deleted, the third belongs to another tenant.
    let (changed, deleted, moved) = (before[0].0, before[1].0, before[2].0);
    let text = before[0].2.clone();
    client
        .batch_execute(&format!(
            "UPDATE paper SET body = 'all about tax law' WHERE id = {changed}; DELETE FROM paper WHERE id = {deleted};
             UPDATE paper SET tenant = 6, body = 'all about another' WHERE id = {moved}"
        ))
        .unwrap();
    for mode in MODES {
        let results = shown(&mut listener, &format!("{query}, mode => '{mode}'"));
        assert!(
            results.len() == 10
                && results.iter().all(|(id, stale, _)| !stale && ![changed, deleted, moved].contains(id))
        );
        let said = drain(&told);
        assert!(said.contains("2 results of corpus \"paper\" left out"), "{mode}: {said}");
        let results = shown(&mut listener, &format!("{query}, mode => '{mode}', stale => 'show'"));
        let stale: HashSet<i32> = results.iter().filter(|(_, stale, _)| *stale).map(|(id, ..)| *id).collect();
        assert_eq!((results.len(), stale), (10, HashSet::from([changed, moved])), "{mode}");
        assert_eq!(results.iter().find(|(id, ..)| *id == changed).unwrap().2, text, "as it was");
        assert!(!drain(&told).contains("left out"), "{mode}");
    }
    // A changed document that would not be among the results is not reported.
    shown(
        &mut listener,
        "'the fox beside the river', result_limit => 10, filter => '{\"id\": {\"<>\": CHANGED}}', mode => 'vector'"
            .replace("CHANGED", &changed.to_string())
            .as_str(),
    );
    assert!(drain(&told).contains("1 result of corpus"));
    shown(&mut listener, "'the fox beside the river', filter => '{\"body\": {\"like\": \"The %\"}}'");
    assert!(!drain(&told).contains("left out"), "the filter sees the rows as they are");

    // The present rows decide which roles see the earlier text.
    client.batch_execute("SET ROLE reader").unwrap();
    let seen = shown(&mut client, "'the fox beside the river', stale => 'show', result_limit => 60");
    assert!(seen.iter().all(|(id, ..)| *id != moved && *id != deleted), "{seen:?}");
    assert_eq!(seen.iter().filter(|(_, stale, _)| *stale).count(), 1);
    client.batch_execute("RESET ROLE").unwrap();

    however_it_is_asked(&mut listener, &told, &before);
    what_explains_it(&mut listener, query);

    client.batch_execute("SELECT socle.resume_corpus('paper')").unwrap();
    wait(&mut client);
    drain(&told);
    let results = shown(&mut listener, &format!("{query}, stale => 'show'"));
    assert!(results.iter().all(|(id, stale, _)| !stale && *id != deleted), "{results:?}");
    assert!(!drain(&told).contains("left out"));
}

/// Rows of the log that one search reads.
fn read_of_the_log(client: &mut Client, mode: &str) -> i64 {
    let mut transaction = client.transaction().unwrap();
    let sql = "SELECT count(*) FROM socle.search('paper', 'the fox beside the river', mode => $1)";
    assert_eq!(transaction.query_one(sql, &[&mode]).unwrap().get::<_, i64>(0), 10, "{mode}");
    let sql = "SELECT coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0) FROM pg_stat_xact_user_tables WHERE relname = 'paper_change'";
    transaction.query_one(sql, &[]).unwrap().get(0)
}

#[test]
fn a_search_does_not_read_the_log_however_long_it_is() {
    let (_cluster, mut client) = with_papers(600);
    client
        .batch_execute(
            "CREATE ROLE reader; GRANT SELECT ON paper, paper_chunk TO reader; SELECT socle.pause_corpus('paper');
             UPDATE paper SET body = 'something else ' || id WHERE id <= 300",
        )
        .unwrap();
    let short: Vec<i64> = MODES.iter().map(|mode| read_of_the_log(&mut client, mode)).collect();
    // Rows of two keys each, of a thousand, and of one: all of documents that are as they were, or are not there.
    client
        .batch_execute(
            "INSERT INTO paper_change (batch_1) SELECT ARRAY[301 + i % 300, 1000 + i] FROM generate_series(1, 3000) i;
             INSERT INTO paper_change (batch_1) SELECT (SELECT array_agg(301 + i % 300) FROM generate_series(1, 1000) i) FROM generate_series(1, 200);
             INSERT INTO paper_change (source_id) SELECT 5000 + i FROM generate_series(1, 3000) i",
        )
        .unwrap();
    let long: Vec<i64> = MODES.iter().map(|mode| read_of_the_log(&mut client, mode)).collect();
    for (mode, (short, long)) in MODES.iter().zip(short.iter().zip(&long)) {
        assert!(*long <= short + 50, "{mode}: {short} rows of a short log, {long} of a long one");
    }
    check(&mut client, |id| id <= 300, 300, "a long log");

    // A document is returned if an update did not change its text, and if it has got its former text back.
    client
        .batch_execute("UPDATE paper SET level = level + 1; UPDATE paper SET body = sentence(id) WHERE id <= 100")
        .unwrap();
    check(&mut client, |id| (101..=300).contains(&id), 400, "touched, and changed back");
    // Numbers of transactions that are not of this server say nothing: everything is compared.
    for number in ["4000000000000", "3"] {
        client.batch_execute(&format!("UPDATE paper_change SET xid = '{number}'")).unwrap();
        check(&mut client, |id| (101..=300).contains(&id), 400, number);
    }
}
