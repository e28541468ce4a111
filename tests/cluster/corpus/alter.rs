//! A corpus changes its model, chunks or template while it is read and written.

use super::{counts, settle, value, with_corpus};
use crate::sqlstate;
use postgres::Client;
use socle_tests::{PATIENCE, Raise, error_of, eventually_within};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

fn wait_for_change(client: &mut Client) {
    eventually_within(4 * PATIENCE, "the change is complete", || {
        (value::<i64>(client, "SELECT count(*) FROM socle.corpus WHERE replaces IS NOT NULL") == 0).then_some(())
    });
}

#[test]
fn another_model_takes_over_with_everything_that_users_have_put_on_the_chunks() {
    let (_cluster, mut client) = with_corpus(50);
    client
        .batch_execute(
            "CREATE ROLE reader; CREATE ROLE narrow; CREATE ROLE nobody;
             GRANT SELECT ON article TO reader, narrow, nobody; GRANT SELECT ON handbook_chunk TO reader, nobody WITH GRANT OPTION;
             GRANT SELECT (content, source_id) ON handbook_chunk TO narrow;
             CREATE POLICY odd ON handbook_chunk AS RESTRICTIVE FOR SELECT TO narrow USING (source_id % 2 = 1 AND content <> '{chunk}');
             ALTER TABLE handbook_chunk SET (autovacuum_vacuum_scale_factor = 0.3)",
        )
        .unwrap();
    let what = "SELECT (SELECT string_agg(relname, ' ' ORDER BY relname) FROM pg_class WHERE relname LIKE 'handbook%')
                    || (SELECT string_agg(acl::text, ' ' ORDER BY acl::text) FROM pg_class, unnest(relacl) acl WHERE relname = 'handbook_chunk')
                    || (SELECT string_agg(polname::text || pg_get_expr(polqual, polrelid), ' ' ORDER BY polname) FROM pg_policy)
                    || (SELECT reloptions::text FROM pg_class WHERE relname = 'handbook_chunk')
                    || (SELECT string_agg(tgname::text || tgenabled::text, ' ' ORDER BY tgname) FROM pg_trigger WHERE NOT tgisinternal)";
    client.batch_execute("CALL socle.sync_corpus('handbook')").unwrap();
    let before: String = value(&mut client, what);
    let next: String =
        value(&mut client, "SELECT socle.alter_corpus('handbook', model => 'bge', template => '{title}: {content}')");
    assert_eq!(next, "handbook~next");
    assert_eq!(sqlstate(client.batch_execute("SELECT socle.alter_corpus('handbook', max_tokens => 50)")), "55000");
    wait_for_change(&mut client);
    settle(&mut client);
    let after: String = value(&mut client, what);
    assert_eq!(before, after);
    let close: bool = value(
        &mut client,
        "SELECT bool_and(embedding <-> socle.embed(title || ': ' || content, 'bge') < 1e-5) FROM handbook_chunk JOIN article ON id = source_id",
    );
    assert!(close);
    let model: String = value(&mut client, "SELECT model || ' ' || state FROM socle.corpus_status");
    assert_eq!(model, "bge active");
    client.batch_execute("SET ROLE narrow").unwrap();
    let odd: i64 = value(&mut client, "SELECT count(content) FROM handbook_chunk");
    assert_eq!(odd, 25);
    client.batch_execute("RESET ROLE; UPDATE article SET body = 'afterwards' WHERE id = 1; TRUNCATE article; INSERT INTO article VALUES (7, 'seven', 'afterwards')").unwrap();
    settle(&mut client);
}

#[test]
fn readers_and_writers_notice_nothing() {
    let (cluster, mut client) = with_corpus(300);
    let done = AtomicBool::new(false);
    let (reads, writes) = (AtomicUsize::new(0), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        let _end = Raise(&done);
        scope.spawn(|| {
            let mut client = cluster.connect();
            while !done.load(Ordering::Relaxed) {
                let chunks: i64 = value(&mut client, "SELECT count(*) FROM handbook_chunk");
                assert!(chunks >= 290, "{chunks}: the table is never empty");
                reads.fetch_add(1, Ordering::Relaxed);
            }
        });
        for writer in 0..2 {
            let (cluster, done, writes) = (&cluster, &done, &writes);
            scope.spawn(move || {
                let mut client = cluster.connect();
                for round in 0.. {
                    if done.load(Ordering::Relaxed) {
                        break;
                    }
                    let sql = format!(
                        "BEGIN; UPDATE article SET body = 'writer {writer} round {round}' WHERE id = {}; SAVEPOINT s; UPDATE article SET title = 'x{round}' WHERE id = {}; COMMIT",
                        writer * 100 + round % 100 + 1,
                        writer * 100 + (round + 7) % 100 + 1
                    );
                    client.batch_execute(&sql).unwrap();
                    writes.fetch_add(1, Ordering::Relaxed);
                    std::thread::sleep(std::time::Duration::from_millis(20));
                }
            });
        }
        for change in ["max_tokens => 60", "overlap_tokens => 5, format => 'markdown'", "title => 'body'"] {
            client.batch_execute(&format!("SELECT socle.alter_corpus('handbook', {change})")).unwrap();
            wait_for_change(&mut client);
        }
    });
    assert!(reads.load(Ordering::Relaxed) > 10 && writes.load(Ordering::Relaxed) > 10);
    settle(&mut client);
}

#[test]
fn writers_that_are_faster_than_the_workers_delay_no_change_for_ever() {
    let (cluster, mut client) = with_corpus(600);
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let _end = Raise(&done);
        scope.spawn(|| {
            let mut client = cluster.connect();
            for round in 0.. {
                if done.load(Ordering::Relaxed) {
                    break;
                }
                client.batch_execute(&format!("UPDATE article SET body = 'round {round} of ' || id")).unwrap();
                std::thread::sleep(std::time::Duration::from_millis(200));
            }
        });
        client.batch_execute("SELECT socle.alter_corpus('handbook', max_tokens => 60)").unwrap();
        wait_for_change(&mut client);
    });
    settle(&mut client);
}

#[test]
fn what_is_the_same_is_not_embedded_again_and_one_may_change_ones_mind() {
    let (_cluster, mut client) = with_corpus(20);
    let same: String = value(&mut client, "SELECT socle.alter_corpus('handbook', max_attempts => 9)");
    assert_eq!(same, "handbook", "at once");
    let attempts: i32 = value(&mut client, "SELECT max_attempts FROM socle.corpus");
    assert_eq!(attempts, 9);
    client.batch_execute("SELECT socle.alter_corpus('handbook', max_tokens => 100)").unwrap();
    wait_for_change(&mut client);
    settle(&mut client);
    assert_eq!(counts(&mut client), (20, 0), "the chunks are the same, and so are their vectors");
    client
        .batch_execute(
            "SELECT socle.pause_corpus('handbook'); SELECT socle.alter_corpus('handbook', model => 'multilingual')",
        )
        .unwrap();
    client.batch_execute("SELECT socle.drop_corpus('handbook~next'); SELECT socle.resume_corpus('handbook')").unwrap();
    settle(&mut client);
    let left: i64 = value(&mut client, "SELECT count(*) FROM pg_class WHERE relname LIKE 'handbook~%'");
    assert_eq!(left, 0);
    client
        .batch_execute(
            "SELECT socle.alter_corpus('handbook', model => 'multilingual'); SELECT socle.drop_corpus('handbook')",
        )
        .unwrap();
    let left: i64 = value(
        &mut client,
        "SELECT (SELECT count(*) FROM pg_class WHERE relname LIKE 'handbook%') + (SELECT count(*) FROM socle.corpus) + (SELECT count(*) FROM pg_trigger WHERE tgname LIKE 'socle%')",
    );
    assert_eq!(left, 0, "a change under way goes with its corpus");
}

#[test]
fn what_could_not_be_carried_over_is_named() {
    let (_cluster, mut client) = with_corpus(3);
    client
        .batch_execute(
            "CREATE VIEW passages AS SELECT content FROM handbook_chunk;
             CREATE TABLE note (chunk_id bigint REFERENCES handbook_chunk);
             CREATE PUBLICATION news FOR TABLE handbook_chunk",
        )
        .unwrap();
    let error = client.batch_execute("SELECT socle.alter_corpus('handbook', max_tokens => 50)").unwrap_err();
    let (code, _, detail, hint) = error_of(&error);
    assert_eq!(code, "55000");
    for name in ["view public.passages", "note_chunk_id_fkey", "publication news"] {
        assert!(detail.contains(name), "{detail}");
    }
    assert!(!hint.is_empty());
    for (arguments, code) in [
        ("'nope', max_tokens => 5", "42704"),
        ("'handbook', max_tokens => 0", "22023"),
        ("'handbook', max_tokens => 5000", "22023"),
        ("'handbook', overlap_tokens => 500", "22023"),
        ("'handbook', template => '{nope} {content}'", "42703"),
        ("'handbook', title => 'nope'", "42703"),
        ("'handbook', model => 'reranker'", "42809"),
        ("'handbook', format => 'pdf'", "22023"),
        ("'handbook', hnsw_m => 90", "22023"),
    ] {
        client
            .batch_execute("DROP VIEW IF EXISTS passages; DROP TABLE IF EXISTS note; DROP PUBLICATION IF EXISTS news")
            .unwrap();
        assert_eq!(
            sqlstate(client.batch_execute(&format!("SELECT socle.alter_corpus({arguments})"))),
            code,
            "{arguments}"
        );
    }
    settle(&mut client);
}
