//! Searches while something is missing: a paused corpus, a dropped model, an engine that dies.

use super::{MODES, drain, found, listening, try_found, value, with_papers};
use crate::sqlstate;
use postgres::NoTls;
use socle_tests::{Raise, error_of, eventually, signal};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

#[test]
fn a_corpus_that_is_not_complete_answers_and_says_so() {
    let (cluster, mut client) = with_papers(40);
    client.batch_execute("CALL socle.sync_corpus('paper')").unwrap();
    let (mut listener, told) = listening(&cluster);
    assert_eq!(found(&mut listener, "'fox', mode => 'vector'").len(), 10);
    assert_eq!(drain(&told), "");
    client.batch_execute("SELECT socle.pause_corpus('paper')").unwrap();
    assert_eq!(found(&mut listener, "'fox', mode => 'vector'").len(), 10);
    assert_eq!(drain(&told), "corpus \"paper\" is paused and may be out of date: socle.pause_corpus() was called");
    client
        .batch_execute("INSERT INTO paper SELECT i, 'more', sentence(i), 1, 1 FROM generate_series(100, 199) i")
        .unwrap();
    // In an open transaction, so that no worker sees the state and continues the fill.
    listener.batch_execute("BEGIN; UPDATE socle.corpus SET state = 'filling'").unwrap();
    assert_eq!(found(&mut listener, "'fox', mode => 'vector'").len(), 10);
    assert_eq!(drain(&told), "corpus \"paper\" is still being filled");
    listener.batch_execute("ROLLBACK").unwrap();
    listener
        .batch_execute(
            "BEGIN; UPDATE socle.corpus SET state = 'active'; UPDATE socle.corpus_binding SET keyword_missing_count = 1",
        )
        .unwrap();
    found(&mut listener, "'fox'");
    assert_eq!(drain(&told), "the keyword index of corpus \"paper\" is not complete yet");
    listener.batch_execute("ROLLBACK").unwrap();
    client.batch_execute("UPDATE socle.corpus SET state = 'broken', state_reason = 'by this test'").unwrap();
    assert_eq!(found(&mut listener, "'fox', mode => 'vector', filter => '{\"level\": 1}'").len(), 8);
    assert_eq!(drain(&told), "corpus \"paper\" is broken and may be out of date: by this test");
    client.batch_execute("DROP TABLE paper CASCADE").unwrap();
    assert_eq!(sqlstate(try_found(&mut listener, "'fox'")), "42704", "a corpus ends with its source");
}

#[test]
fn words_are_found_without_the_model_when_the_caller_allows_it() {
    let (cluster, mut client) = with_papers(40);
    client.batch_execute("CALL socle.sync_corpus('paper')").unwrap();
    let words = found(&mut client, "'fox', mode => 'keyword'");
    // The files of the model are removed, and then the model is dropped.
    let away = cluster.directory().join("nothing");
    std::fs::create_dir(&away).unwrap();
    cluster.configure(&format!("socle.model_directory = '{}'", away.display()));
    cluster.reload();
    let (mut listener, told) = listening(&cluster);
    eventually("the files are gone", || try_found(&mut listener, "'fox', mode => 'vector'").err());
    for state in ["58P01", "42704"] {
        for arguments in ["'fox', mode => 'vector'", "'fox'", "'fox', mode => 'vector', vector_optional => true"] {
            let (code, _, _, hint) = error_of(&try_found(&mut listener, arguments).unwrap_err());
            assert_eq!(code, state, "{arguments}");
            assert!(!hint.is_empty(), "{arguments}");
        }
        drain(&told);
        assert_eq!(found(&mut listener, "'fox', mode => 'keyword'"), words);
        assert_eq!(drain(&told), "");
        assert_eq!(found(&mut listener, "'fox', vector_optional => true, keyword_weight => 2"), words);
        assert!(drain(&told).starts_with("corpus \"paper\" is searched by keyword only: "));
        if state == "58P01" {
            client.batch_execute("SELECT socle.drop_model('minilm', force => true)").unwrap();
        }
    }
}

#[test]
fn an_engine_that_is_killed_loses_no_search() {
    let (cluster, mut witness) = with_papers(60);
    let pid: i32 = value(&mut witness, "SELECT pg_backend_pid()");
    let expected: Vec<Vec<i32>> =
        MODES.iter().map(|mode| found(&mut witness, &format!("'fox', mode => '{mode}'"))).collect();
    let (done, answered) = (AtomicBool::new(false), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        let _end = Raise(&done);
        for (mode, expected) in MODES.iter().zip(&expected) {
            let (cluster, done, answered) = (&cluster, &done, &answered);
            scope.spawn(move || {
                let mut client = cluster.connect();
                while !done.load(Ordering::Relaxed) {
                    match try_found(&mut client, &format!("'fox', mode => '{mode}'")) {
                        Ok(ids) => assert_eq!(&ids, expected, "{mode}"),
                        // Killed again while the request ran alone: the same as a request that kills the engine.
                        Err(error) => assert_eq!(error_of(&error).0, "38000", "{error:?}"),
                    }
                    answered.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        let mut last = 0;
        for round in 0..8_usize {
            let engine = eventually("a new engine runs", || cluster.engine_pid().filter(|pid| *pid != last));
            let before = answered.load(Ordering::Relaxed);
            eventually("searches run", || (answered.load(Ordering::Relaxed) >= before + 3 + round).then_some(()));
            signal(engine, libc::SIGKILL);
            last = engine;
        }
    });
    assert_eq!(value::<i32>(&mut witness, "SELECT pg_backend_pid()"), pid, "the session was lost");
    for (mode, expected) in MODES.iter().zip(&expected) {
        assert_eq!(&found(&mut witness, &format!("'fox', mode => '{mode}'")), expected, "{mode}");
    }
    assert!(!cluster.log().contains("server process"), "no process of Postgres ended abnormally");
}

#[test]
fn row_security_that_is_forced_holds_for_the_owner() {
    let (cluster, mut client) = with_papers(40);
    client
        .batch_execute(
            "SELECT socle.pause_corpus('paper');
             CREATE ROLE owner LOGIN; ALTER TABLE paper OWNER TO owner; ALTER TABLE paper_chunk OWNER TO owner;
             ALTER TABLE paper_change OWNER TO owner; ALTER TABLE paper_document OWNER TO owner; GRANT ALL ON SCHEMA public TO owner;
             ALTER TABLE paper ENABLE ROW LEVEL SECURITY; ALTER TABLE paper FORCE ROW LEVEL SECURITY; CREATE POLICY seen ON paper USING (tenant = 1)",
        )
        .unwrap();
    let mut owner = cluster.configuration().user("owner").connect(NoTls).unwrap();
    for mode in ["vector", "hybrid"] {
        let mut ids = found(&mut owner, &format!("'fox', mode => '{mode}', result_limit => 100"));
        ids.sort_unstable();
        assert_eq!(ids, [1, 8, 15, 22, 29, 36], "{mode}");
    }
}
