//! Sentences that come as they are done: in order, before the end, and ending with whoever waits for them.

use super::{QUESTIONS, answer, with_guides};
use crate::search::{texts, value};
use postgres::fallible_iterator::FallibleIterator;
use postgres::{Client, NoTls};
use socle_tests::{Cluster, PATIENCE, error_of, eventually};
use std::time::Instant;

/// Takes longer than any test waits, and has sentences from the beginning.
const LONG: &str = "SELECT number FROM generate_series(1, 1000) AS i,
    LATERAL (SELECT (socle.answer_stream('guide', 'When is a backup made?', 'smol', max_tokens => 500, temperature => 1.5, seed => i)).number) AS s";

fn running(client: &mut Client) -> i32 {
    value(client, "SELECT running_count + queued_count FROM socle.generator_status WHERE name = 'smol'")
}

#[test]
fn a_stream_has_the_sentences_of_the_answer_and_what_sums_up() {
    let (_cluster, mut client) = with_guides("");
    for question in QUESTIONS.iter().chain(&["Who painted the ceiling of the chapel?"]) {
        let whole = answer(&mut client, question, "");
        let rows = texts(
            &mut client,
            &format!(
                "SELECT to_jsonb(s) FROM (SELECT socle.answer_stream('guide', '{question}', 'smol', max_tokens => 60, context_tokens => 200) AS s) AS t"
            ),
        );
        let rows: Vec<serde_json::Value> = rows.iter().map(|row| serde_json::from_str(row).unwrap()).collect();
        let (last, sentences) = rows.split_last().unwrap();
        for column in [
            "declined",
            "reason",
            "grounded",
            "relevance",
            "coverage",
            "removed",
            "unmatched_words",
            "generator",
            "model_digest",
            "prompt_tokens",
            "answer_tokens",
            "finish",
        ] {
            assert_eq!(last[column], whole[column], "{column}: {last}");
        }
        assert!(last["number"].is_null() && last["sentence"].is_null() && last["citation"].is_null(), "{last}");
        let text = sentences.iter().map(|row| format!("{} [{}]", row["sentence"].as_str().unwrap(), row["number"]));
        assert_eq!(text.collect::<Vec<_>>().join(" "), whole["answer"].as_str().unwrap_or_default());
        let citations: Vec<serde_json::Value> = sentences.iter().map(|row| row["citation"].clone()).collect();
        assert_eq!(serde_json::Value::Array(citations), whole["citations"]);
        // In FROM, the same rows come at once.
        let count: i64 = value(
            &mut client,
            &format!(
                "SELECT count(*) FROM socle.answer_stream('guide', '{question}', 'smol', max_tokens => 60, context_tokens => 200)"
            ),
        );
        assert_eq!(count, rows.len() as i64);
    }
}

#[test]
fn a_sentence_is_read_while_the_next_ones_are_written() {
    let (cluster, mut client) = with_guides("");
    let mut observer = cluster.connect();
    answer(&mut observer, QUESTIONS[0], "");
    // Whatever is written at this temperature, one of the texts has a sentence that is kept before the end.
    let seen_early = (1..20).any(|seed| {
        let sql = format!(
            "SELECT (s).number FROM (SELECT socle.answer_stream('guide', 'When is a backup made?', 'smol', max_tokens => 300, temperature => 0.7, seed => {seed}) AS s) AS t"
        );
        let mut rows = client.query_raw(sql.as_str(), &[] as &[&str]).unwrap();
        let first: Option<i32> = rows.next().unwrap().and_then(|row| row.get(0));
        let early = first.is_some() && running(&mut observer) > 0;
        while rows.next().unwrap().is_some() {}
        early
    });
    assert!(seen_early);
    // LIMIT ends the generation.
    let first = "SELECT s IS NOT NULL FROM (SELECT socle.answer_stream('guide', 'When is a backup made?', 'smol', max_tokens => 500, temperature => 1.5) AS s LIMIT 1) AS t";
    client.query(first, &[]).unwrap();
    eventually("nothing runs", || (running(&mut observer) == 0).then_some(()));
}

/// Runs the long statement in a session of its own, ends it by `end`, and returns the SQLSTATE.
fn ended(
    cluster: &Cluster,
    observer: &mut Client,
    end: impl FnOnce(&mut Client, i32, postgres::CancelToken),
) -> String {
    let mut client = cluster.connect();
    let pid = value(&mut client, "SELECT pg_backend_pid()");
    let token = client.cancel_token();
    std::thread::scope(|scope| {
        let statement = scope.spawn(move || {
            let error = client.simple_query(LONG).unwrap_err();
            let state = if error.is_closed() { "57P01".to_string() } else { error_of(&error).0 };
            (state, Instant::now())
        });
        eventually("text is written", || (running(observer) > 0).then_some(()));
        let begun = Instant::now();
        end(observer, pid, token);
        let (state, at) = statement.join().unwrap();
        assert!(at.duration_since(begun) < PATIENCE);
        eventually("nothing runs", || (running(observer) == 0).then_some(()));
        state
    })
}

#[test]
fn cancel_termination_and_a_client_that_vanishes_end_the_generation() {
    let (cluster, mut observer) = with_guides("");
    answer(&mut observer, QUESTIONS[0], "");
    assert_eq!(ended(&cluster, &mut observer, |_, _, token| token.cancel_query(NoTls).unwrap()), "57014");
    let terminate = |observer: &mut Client, pid: i32, _| {
        observer.execute("SELECT pg_terminate_backend($1)", &[&pid]).unwrap();
    };
    assert_eq!(ended(&cluster, &mut observer, terminate), "57P01");
    // Without client_connection_check_interval.
    let mut psql = socle_tests::command(socle_tests::bin("psql"))
        .args(["--username=postgres", &format!("--command={LONG}")])
        .arg(format!("--host={}", cluster.directory().display()))
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    eventually("text is written", || (running(&mut observer) > 0).then_some(()));
    psql.kill().unwrap();
    psql.wait().unwrap();
    eventually("nothing runs", || (running(&mut observer) == 0).then_some(()));
    assert_eq!(answer(&mut observer, QUESTIONS[0], "")["declined"], false);
}

#[test]
fn a_standby_writes_answers() {
    let (cluster, mut client) = with_guides("");
    let standby = Cluster::standby_of(&cluster);
    standby.start();
    let mut reader = standby.connect();
    assert_eq!(answer(&mut reader, QUESTIONS[0], ""), answer(&mut client, QUESTIONS[0], ""));
    let rows = "SELECT socle.answer_stream('guide', 'How long do cats sleep?', 'smol', max_tokens => 20)";
    assert!(!texts(&mut reader, rows).is_empty());
}
