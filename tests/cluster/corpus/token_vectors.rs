//! Token vectors are written with their chunks, and computed once, whatever becomes of the corpus.

use super::{check, counts, settle, status, value, wait, with_corpus};
use crate::sqlstate;
use postgres::Client;
use socle_tests::{Cluster, PATIENCE, bin, command, error_of, eventually, eventually_within, run, signal};
use std::time::Duration;

/// A corpus of articles with token vectors.
fn with_tokens(documents: i32) -> (Cluster, Client) {
    let cluster = Cluster::with_models("");
    let mut client = cluster.connect();
    client
        .batch_execute(&format!(
            "CREATE TABLE article (id int PRIMARY KEY, title text, body text);
             INSERT INTO article SELECT i, 'title ' || i, 'body of article ' || i FROM generate_series(1, {documents}) i;
             SELECT socle.create_corpus('handbook', 'article', ARRAY['body'], title => 'title', model => 'minilm', token_model => 'colbert')"
        ))
        .unwrap();
    settle(&mut client);
    client.batch_execute("CALL socle.sync_corpus('handbook')").unwrap();
    (cluster, client)
}

/// Texts that the model of token vectors has run since the engine started.
fn runs(client: &mut Client) -> i64 {
    runs_of(client, "colbert")
}

fn runs_of(client: &mut Client, model: &str) -> i64 {
    value(client, &format!("SELECT text_count FROM socle.model_status WHERE name = '{model}'"))
}

/// Chunks without token vectors.
fn lacking(client: &mut Client) -> i64 {
    value(client, "SELECT count(*) FROM handbook_chunk WHERE token_vectors IS NULL")
}

/// The token vectors by key of the document, as one text.
fn all(client: &mut Client) -> String {
    value(client, "SELECT string_agg(encode(sha256(token_vectors), 'hex'), ' ' ORDER BY source_id) FROM handbook_chunk")
}

fn wait_for_change(client: &mut Client) {
    eventually_within(4 * PATIENCE, "the change is complete", || {
        (value::<i64>(client, "SELECT count(*) FROM socle.corpus WHERE replaces IS NOT NULL") == 0).then_some(())
    });
    settle(client);
}

fn has_column(client: &mut Client) -> bool {
    value(
        client,
        "SELECT EXISTS (SELECT FROM pg_attribute WHERE attrelid = 'handbook_chunk'::regclass AND attname = 'token_vectors' AND NOT attisdropped)",
    )
}

#[test]
fn token_vectors_are_computed_once_for_each_text() {
    let (_cluster, mut client) = with_tokens(20);
    assert_eq!((runs(&mut client), lacking(&mut client)), (20, 0));
    let shown: String = value(&mut client, "SELECT model || ' ' || token_model FROM socle.corpus_status");
    assert_eq!(shown, "minilm colbert");
    // One text changes, one comes a second time.
    client
        .batch_execute(
            "UPDATE article SET body = 'another' WHERE id = 1; INSERT INTO article SELECT 22, title, body FROM article WHERE id = 3",
        )
        .unwrap();
    settle(&mut client);
    assert_eq!((runs(&mut client), lacking(&mut client)), (21, 0));
    let same: bool = value(
        &mut client,
        "SELECT (SELECT token_vectors FROM handbook_chunk WHERE source_id = 3) = (SELECT token_vectors FROM handbook_chunk WHERE source_id = 22)",
    );
    assert!(same);
    // An edit in a long document computes the chunks around it.
    client
        .batch_execute(
            "INSERT INTO article SELECT 30, 'long', string_agg('Sentence number ' || i || ' of a long document.', E'\\n\\n' ORDER BY i)
                 FROM generate_series(1, 400) i",
        )
        .unwrap();
    wait(&mut client);
    let (before, embedded) = (runs(&mut client), counts(&mut client).0);
    client
        .batch_execute("UPDATE article SET body = replace(body, 'number 200 of', 'number 200 in') WHERE id = 30")
        .unwrap();
    wait(&mut client);
    let (computed, embedded) = (runs(&mut client) - before, counts(&mut client).0 - embedded);
    assert!((1..=3).contains(&computed) && computed == embedded, "{computed}, {embedded}");
    assert_eq!(lacking(&mut client), 0);
}

#[test]
fn a_corpus_gets_and_loses_token_vectors_and_keeps_what_it_has() {
    let (_cluster, mut client) = with_corpus(20);
    assert!(!has_column(&mut client));
    client.batch_execute("CREATE ROLE reader; GRANT SELECT (content, source_id) ON handbook_chunk TO reader").unwrap();
    client.batch_execute("SELECT socle.alter_corpus('handbook', token_model => 'colbert')").unwrap();
    wait_for_change(&mut client);
    assert_eq!((runs(&mut client), lacking(&mut client)), (20, 0));
    assert_eq!(runs_of(&mut client, "minilm"), 20, "vectors were taken over");
    let before = all(&mut client);
    // Chunks of another kind, and another model, with the same texts.
    for change in ["max_tokens => 100", "model => 'bge'"] {
        client.batch_execute(&format!("SELECT socle.alter_corpus('handbook', {change})")).unwrap();
        wait_for_change(&mut client);
        assert_eq!((runs(&mut client), lacking(&mut client)), (20, 0), "{change}");
        assert_eq!(all(&mut client), before, "{change}");
    }
    let same: String = value(&mut client, "SELECT socle.alter_corpus('handbook', token_model => 'colbert')");
    assert_eq!(same, "handbook", "nothing changes");
    // The same files under another limit of the window are another model.
    client.batch_execute("SELECT socle.register_model('short', 'answerai-colbert-small-v1', max_tokens => 8)").unwrap();
    client
        .batch_execute("GRANT SELECT (token_vectors) ON handbook_chunk TO reader; SELECT socle.alter_corpus('handbook', token_model => 'short')")
        .unwrap();
    wait_for_change(&mut client);
    assert_ne!(all(&mut client), before, "vectors of two models are never mixed");
    client.batch_execute("SELECT socle.alter_corpus('handbook', token_model => '')").unwrap();
    wait_for_change(&mut client);
    assert!(!has_column(&mut client));
    let none: bool = value(
        &mut client,
        "SELECT token_model IS NULL AND token_model_digest IS NULL AND has_column_privilege('reader', 'handbook_chunk', 'content', 'SELECT') FROM socle.corpus",
    );
    assert!(none);
}

#[test]
fn only_a_registered_model_of_late_interaction_has_token_vectors() {
    let (_cluster, mut client) = with_corpus(3);
    let refused = |client: &mut Client, call: &str| {
        let (code, message, ..) = error_of(&client.batch_execute(&format!("SELECT socle.{call}")).unwrap_err());
        (code, message)
    };
    let create = |model: &str| {
        format!("create_corpus('other', 'article', '{{body}}', model => 'minilm', token_model => '{model}')")
    };
    assert_eq!(refused(&mut client, &create("nothing")).1, "model \"nothing\" does not exist");
    let (code, message) = refused(&mut client, &create("minilm"));
    assert_eq!(
        (code.as_str(), message.as_str()),
        ("42809", "model \"minilm\" is of kind embedding, not late_interaction")
    );
    assert_eq!(refused(&mut client, "alter_corpus('handbook', token_model => 'reranker')").0, "42809");
    client.batch_execute(&format!("SELECT socle.{}", create(""))).unwrap();
    let none: bool = value(&mut client, "SELECT token_model IS NULL FROM socle.corpus WHERE name = 'other'");
    assert!(none, "an empty name is none");
}

#[test]
fn a_missing_token_model_delays_and_says_so() {
    let (_cluster, mut client) = with_tokens(3);
    client
        .batch_execute(
            "SELECT socle.drop_model('colbert', force => true); INSERT INTO article VALUES (4, 'four', 'written without the model')",
        )
        .unwrap();
    let reason = eventually("the reason is told", || {
        let reason: Option<String> = value(&mut client, "SELECT state_reason FROM socle.corpus_status");
        reason.filter(|reason| reason.contains("colbert"))
    });
    assert!(reason.contains("does not exist"), "{reason}");
    client.batch_execute("SELECT socle.register_model('colbert', 'answerai-colbert-small-v1'); SELECT socle.resume_corpus('handbook')").unwrap();
    settle(&mut client);
    assert_eq!(lacking(&mut client), 0, "{}", status(&mut client));
}

#[test]
fn an_engine_that_is_killed_costs_no_token_vectors() {
    let (cluster, mut client) = with_tokens(3);
    client
        .batch_execute(
            "INSERT INTO article SELECT i, 'title ' || i, 'a longer body of article ' || i || repeat(' with some words', 10)
             FROM generate_series(10, 409) i",
        )
        .unwrap();
    let mut last = 0;
    for round in 0..3 {
        let engine = eventually("there is an engine", || cluster.engine_pid().filter(|pid| *pid != last));
        std::thread::sleep(Duration::from_millis(round * 161));
        signal(engine, libc::SIGKILL);
        last = engine;
    }
    settle(&mut client);
    let chunks: i64 = value(&mut client, "SELECT count(token_vectors) FROM handbook_chunk");
    assert_eq!(chunks, 403);
}

#[test]
fn a_restore_and_the_return_of_the_extension_compute_nothing_again() {
    let (cluster, mut client) = with_tokens(10);
    let before = all(&mut client);
    let host = format!("--host={}", cluster.directory().display());
    let file = cluster.directory().join("dump");
    let output = format!("--file={}", file.display());
    run(command(bin("pg_dump")).args([&host, "--username=postgres", "--format=custom", &output, "postgres"]));
    client.batch_execute("CREATE DATABASE restored TEMPLATE template0").unwrap();
    run(command(bin("pg_restore"))
        .args([&host, "--username=postgres", "--dbname=restored", "--exit-on-error"])
        .arg(&file));
    let mut restored = cluster.connect_to("restored");
    restored
        .batch_execute("SELECT socle.resume_corpus('handbook'); UPDATE article SET body = 'afterwards' WHERE id = 3")
        .unwrap();
    settle(&mut restored);
    assert_eq!((runs(&mut restored), lacking(&mut restored)), (11, 0), "only what changed was computed");
    restored.batch_execute("UPDATE article SET body = 'body of article 3' WHERE id = 3").unwrap();
    settle(&mut restored);
    assert_eq!(all(&mut restored), before);
    let create = |token_model: &str| {
        format!(
            "SELECT socle.create_corpus('handbook', 'article', ARRAY['body'], title => 'title', model => 'minilm', token_model => {token_model})"
        )
    };
    restored
        .batch_execute(
            "DROP EXTENSION socle CASCADE; CREATE EXTENSION socle; SELECT socle.register_model('minilm', 'all-minilm-l6-v2');
             SELECT socle.register_model('colbert', 'answerai-colbert-small-v1')",
        )
        .unwrap();
    assert_eq!(sqlstate(restored.batch_execute(&create("NULL"))), "42710", "the table has another column");
    let before_return = runs(&mut restored);
    restored.batch_execute(&create("'colbert'")).unwrap();
    settle(&mut restored);
    check(&mut restored);
    assert_eq!(all(&mut restored), before);
    assert_eq!(runs(&mut restored), before_return);
}

#[test]
fn verify_finds_token_vectors_that_cannot_be_read_and_has_them_made_again() {
    let (_cluster, mut client) = with_tokens(5);
    let before = all(&mut client);
    let problems = "SELECT coalesce(string_agg(problem || source_key::text, ' ' ORDER BY source_key::text), '') FROM socle.verify_corpus('handbook')";
    assert_eq!(value::<String>(&mut client, problems), "");
    client
        .batch_execute(
            "UPDATE handbook_chunk SET token_vectors = 'not vectors' WHERE source_id = 2;
             UPDATE handbook_chunk SET token_vectors = substr(token_vectors, 1, length(token_vectors) - 1) WHERE source_id = 3;
             UPDATE handbook_chunk SET token_vectors = NULL WHERE source_id = 4",
        )
        .unwrap();
    assert_eq!(
        value::<String>(&mut client, problems),
        "token_vectors{\"id\": 2} token_vectors{\"id\": 3}",
        "a chunk without any is scored by the model"
    );
    let repaired: i64 = value(&mut client, "SELECT count(*) FROM socle.verify_corpus('handbook', repair => true)");
    assert_eq!(repaired, 2);
    settle(&mut client);
    client.batch_execute("CALL socle.sync_corpus('handbook')").unwrap();
    assert_eq!(value::<String>(&mut client, problems), "");
    assert_eq!(lacking(&mut client), 1);
    client
        .batch_execute("DELETE FROM handbook_chunk WHERE source_id = 4; SELECT socle.verify_corpus('handbook', true)")
        .unwrap();
    settle(&mut client);
    client.batch_execute("CALL socle.sync_corpus('handbook')").unwrap();
    assert_eq!(all(&mut client), before);
}
