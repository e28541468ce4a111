//! Corpora survive schema changes, or report them.

use super::{counts, settle, value, wait_for_state, with_corpus};
use crate::sqlstate;
use socle_tests::{Cluster, eventually, eventually_within};

#[test]
fn renames_are_followed() {
    let (_cluster, mut client) = with_corpus(3);
    client
        .batch_execute(
            "ALTER TABLE article RENAME TO page; ALTER TABLE page RENAME COLUMN body TO content; ALTER TABLE page RENAME COLUMN id TO number;
             ALTER TABLE page RENAME COLUMN title TO \"The Title\"; CREATE SCHEMA shelf; ALTER TABLE page SET SCHEMA shelf;
             ALTER SCHEMA shelf RENAME TO library;
             UPDATE library.page SET content = 'after all that' WHERE number = 1; INSERT INTO library.page VALUES (10, 'ten', 'new')",
        )
        .unwrap();
    let done: bool = value(&mut client, "SELECT socle.wait_for_corpus('handbook')");
    assert!(done);
    assert_eq!(client.query("SELECT * FROM socle.verify_corpus('handbook')", &[]).unwrap().len(), 0);
    let content: String = value(&mut client, "SELECT string_agg(content, ',' ORDER BY source_id) FROM handbook_chunk");
    assert_eq!(content, "after all that,body of article 2,body of article 3,new");
    let source: String = value(&mut client, "SELECT source FROM socle.corpus_status");
    assert_eq!(source, "library.page");
    // The chunk table too, and a column that only the template names.
    client
        .batch_execute(
            "CREATE TABLE note (id int PRIMARY KEY, author text, body text); INSERT INTO note VALUES (1, 'me', 'text');
             SELECT socle.create_corpus('notes', 'note', ARRAY['body'], template => '{author}: {content}', model => 'minilm');
             ALTER TABLE note RENAME COLUMN author TO writer; ALTER TABLE notes_chunk RENAME TO passage; UPDATE note SET writer = 'you'",
        )
        .unwrap();
    let done: bool = value(&mut client, "SELECT socle.wait_for_corpus('notes')");
    assert!(done);
    let embedded: bool =
        value(&mut client, "SELECT embedding <-> socle.embed('you: text', 'minilm') < 1e-5 FROM passage");
    assert!(embedded);
}

#[test]
fn a_dropped_column_breaks_the_corpus_and_nobody_else() {
    let (cluster, mut client) = with_corpus(3);
    // The policy on the chunks names the column, so that a change of the column is noticed.
    assert_eq!(sqlstate(client.batch_execute("ALTER TABLE article DROP COLUMN body")), "2BP01");
    client.batch_execute("ALTER TABLE article DROP COLUMN title CASCADE").unwrap();
    let reason = wait_for_state(&mut client, "broken");
    assert!(reason.contains("article.title was dropped"), "{reason}");
    client.batch_execute("INSERT INTO article VALUES (50, 'writers go on')").unwrap();
    client.batch_execute("SET ROLE pg_read_all_data").unwrap();
    let visible: i64 = value(&mut client, "SELECT count(*) FROM handbook_chunk");
    assert_eq!(visible, 0, "without its policy nobody but the owner sees a chunk");
    client.batch_execute("RESET ROLE").unwrap();
    std::thread::sleep(std::time::Duration::from_secs(2));
    let lines = cluster.log().lines().filter(|line| line.contains("socle sync")).count();
    assert!(lines < 5, "no storm in the log: {lines}");
    client.batch_execute("SELECT socle.drop_corpus('handbook')").unwrap();
}

#[test]
fn a_dropped_source_takes_the_corpus_along() {
    let (_cluster, mut client) = with_corpus(3);
    assert_eq!(sqlstate(client.batch_execute("DROP TABLE article")), "2BP01");
    client.batch_execute("DROP TABLE article CASCADE").unwrap();
    let left: i64 = value(
        &mut client,
        "SELECT (SELECT count(*) FROM socle.corpus) + (SELECT count(*) FROM pg_class WHERE relname LIKE 'handbook%')",
    );
    assert_eq!(left, 0);
    // A chunk table that other objects depend on stays.
    client
        .batch_execute(
            "CREATE TABLE article (id int PRIMARY KEY, title text, body text); INSERT INTO article VALUES (1, 't', 'b');
             SELECT socle.create_corpus('handbook', 'article', ARRAY['body'], model => 'minilm')",
        )
        .unwrap();
    settle(&mut client);
    client
        .batch_execute("CREATE VIEW passages AS SELECT content FROM handbook_chunk; DROP TABLE article CASCADE")
        .unwrap();
    let kept: String = value(&mut client, "SELECT content FROM passages");
    assert_eq!(kept, "b");
    let corpora: i64 = value(&mut client, "SELECT count(*) FROM socle.corpus");
    assert_eq!(corpora, 0);
    client.batch_execute("DROP SCHEMA public CASCADE").unwrap();
}

#[test]
fn a_dropped_chunk_table_ends_the_corpus_and_a_dropped_log_breaks_it() {
    let (_cluster, mut client) = with_corpus(3);
    client.batch_execute("DROP TABLE handbook_change; UPDATE article SET body = 'writers go on'").unwrap();
    let reason = wait_for_state(&mut client, "broken");
    assert!(reason.contains("handbook_change was dropped"), "{reason}");
    assert_eq!(sqlstate(client.batch_execute("SELECT socle.resume_corpus('handbook')")), "55000");
    client.batch_execute("DROP TABLE handbook_chunk; UPDATE article SET body = 'writers still go on'").unwrap();
    let corpora: i64 = value(&mut client, "SELECT count(*) FROM socle.corpus");
    assert_eq!(corpora, 0);
    client
        .batch_execute("SELECT socle.create_corpus('handbook', 'article', ARRAY['body'], model => 'minilm')")
        .unwrap();
    settle(&mut client);
}

#[test]
fn a_new_owner_takes_over() {
    let (_cluster, mut client) = with_corpus(3);
    client
        .batch_execute(
            "CREATE ROLE heir; GRANT ALL ON SCHEMA public TO heir;
             ALTER TABLE article OWNER TO heir; ALTER TABLE handbook_chunk OWNER TO heir; ALTER TABLE handbook_change OWNER TO heir; ALTER TABLE handbook_document OWNER TO heir;
             SET ROLE heir; UPDATE article SET body = 'of the heir' WHERE id = 1; SELECT socle.pause_corpus('handbook'); SELECT socle.resume_corpus('handbook')",
        )
        .unwrap();
    settle(&mut client);
}

#[test]
fn a_paused_corpus_rests_and_goes_on() {
    let (_cluster, mut client) = with_corpus(3);
    client
        .batch_execute("SELECT socle.pause_corpus('handbook'); UPDATE article SET body = 'later' WHERE id = 1")
        .unwrap();
    std::thread::sleep(std::time::Duration::from_millis(500));
    let pending: i64 = value(&mut client, "SELECT pending_count FROM socle.corpus_status");
    assert_eq!(pending, 1);
    let done: bool = value(&mut client, "SELECT socle.wait_for_corpus('handbook', '1 minute')");
    assert!(!done, "nobody waits for what nobody works on");
    assert_eq!(sqlstate(client.batch_execute("CALL socle.sync_corpus('handbook')")), "55000");
    client.batch_execute("SELECT socle.resume_corpus('handbook')").unwrap();
    client.batch_execute("CALL socle.sync_corpus('handbook')").unwrap();
    let documents: i64 = value(&mut client, "SELECT document_count FROM socle.corpus_status");
    assert_eq!(documents, 3);
    settle(&mut client);
}

/// Several pauses that double, each of which has to be waited for.
const MINUTES: std::time::Duration = std::time::Duration::from_secs(180);

#[test]
fn writing_to_the_source_of_a_paused_corpus_starts_nobody() {
    let (cluster, mut client) = with_corpus(3);
    cluster.configure("log_min_messages = debug1");
    cluster.reload();
    let started = || cluster.log().matches("starting background worker process \"socle sync\"").count();
    let workers = "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'socle sync'";
    client.batch_execute("SELECT socle.pause_corpus('handbook')").unwrap();
    client
        .batch_execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = 'socle sync'")
        .unwrap();
    // A worker that ends shortly after it was woken has a successor, which finds nothing to do. Three seconds after the
    // supervisor was started, the supervisor checks the database again.
    let before = eventually("the last worker leaves, and has no successor", || {
        let before = started();
        std::thread::sleep(std::time::Duration::from_secs(4));
        (value::<i64>(&mut client, workers) == 0 && started() == before).then_some(before)
    });
    let mut late = cluster.connect();
    late.batch_execute("BEGIN; UPDATE article SET body = 'while paused' WHERE id = 2").unwrap();
    for round in 0..20 {
        client.batch_execute(&format!("UPDATE article SET body = 'round {round}' WHERE id = 1")).unwrap();
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    assert_eq!(started(), before);
    client.batch_execute("SELECT socle.resume_corpus('handbook')").unwrap();
    eventually("a worker comes", || (started() > before).then_some(()));
    // A worker that is ended has a successor after a pause that doubles each time.
    eventually_within(MINUTES, "the pause before a successor is longer than this look", || {
        let ended = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE backend_type = 'socle sync'";
        client.batch_execute(ended).unwrap();
        std::thread::sleep(std::time::Duration::from_secs(6));
        (value::<i64>(&mut client, workers) == 0).then_some(())
    });
    // Keys of a transaction that began to write while the corpus was paused.
    let before = started();
    late.batch_execute("COMMIT").unwrap();
    eventually("a worker comes", || (started() > before).then_some(()));
    settle(&mut client);
}

#[test]
fn a_wait_is_not_without_end() {
    let (_cluster, mut client) = with_corpus(1);
    for timeout in ["infinity", "-infinity", "-1 second"] {
        let waited = client.query(&format!("SELECT socle.wait_for_corpus('handbook', '{timeout}')"), &[]).map(drop);
        // PostgreSQL 15 and 16 know no infinite interval.
        assert!(["22023", "22007"].contains(&sqlstate(waited).as_str()), "{timeout}");
    }
}

#[test]
fn the_language_of_a_document_is_followed_like_its_text() {
    let cluster = Cluster::with_models("");
    let mut client = cluster.connect();
    client
        .batch_execute(
            "CREATE TABLE article (id int PRIMARY KEY, title text, body text, language text);
             INSERT INTO article VALUES (1, 'un', 'Les sauvegardes de la base', 'fr'), (2, 'two', 'Backups of the base', NULL);
             SELECT socle.create_corpus('handbook', 'article', ARRAY['body'], title => 'title', model => 'minilm',
                                        language => 'EN', language_column => 'language')",
        )
        .unwrap();
    settle(&mut client);
    let language: String = value(&mut client, "SELECT language || ' ' || language_column FROM socle.corpus");
    assert_eq!(language, "english language");
    let before = counts(&mut client).0;
    // At rest, so that nothing is done before it is counted.
    client
        .batch_execute("SELECT socle.pause_corpus('handbook'); UPDATE article SET language = 'de' WHERE id = 1")
        .unwrap();
    let pending: i64 = value(&mut client, "SELECT pending_count FROM socle.corpus_status");
    assert_eq!(pending, 1, "the keywords of a document depend on its language");
    client.batch_execute("SELECT socle.resume_corpus('handbook')").unwrap();
    settle(&mut client);
    assert_eq!(counts(&mut client).0, before, "its vectors do not");
    client.batch_execute("ALTER TABLE article RENAME COLUMN language TO langue").unwrap();
    let column: String = value(&mut client, "SELECT language_column FROM socle.corpus");
    assert_eq!(column, "langue");
    client
        .batch_execute("SELECT socle.alter_corpus('handbook', language => 'auto'); CALL socle.sync_corpus('handbook')")
        .unwrap_err();
    client.batch_execute("SELECT socle.alter_corpus('handbook', language => 'auto')").unwrap();
    client.batch_execute("CALL socle.sync_corpus('handbook')").unwrap();
    let language: String = value(&mut client, "SELECT language || ' ' || language_column FROM socle.corpus");
    assert_eq!(language, "auto langue");
    settle(&mut client);
    client.batch_execute("ALTER TABLE article DROP COLUMN langue").unwrap();
    assert_eq!(super::wait_for_state(&mut client, "broken"), "public.article.langue was dropped");
}

#[test]
fn a_table_that_has_the_name_of_a_dropped_log_by_now_stays() {
    let (_cluster, mut client) = with_corpus(1);
    client
        .batch_execute(
            "DROP TABLE handbook_change; CREATE ROLE other; CREATE TABLE handbook_change (mine int);
             ALTER TABLE handbook_change OWNER TO other; DROP TABLE handbook_chunk CASCADE",
        )
        .unwrap();
    let left =
        "SELECT coalesce(string_agg(relname, ' '), '') FROM pg_class WHERE relname LIKE 'handbook%' AND relkind = 'r'";
    assert_eq!(value::<String>(&mut client, left), "handbook_change", "that of another, and nothing of the corpus");
    assert_eq!(value::<i64>(&mut client, "SELECT count(*) FROM socle.corpus"), 0);
}
