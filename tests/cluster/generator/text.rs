//! Texts: free, one of several choices, JSON by a schema; of one session and of many.

use super::{cluster, generate, status};
use crate::sqlstate;
use postgres::Client;
use socle_tests::{error_of, eventually};
use std::sync::Barrier;

fn text(client: &mut Client, sql: &str) -> String {
    client.query_one(sql, &[]).unwrap().get(0)
}

#[test]
fn texts_are_as_they_were_asked_for() {
    let cluster = cluster("");
    let (mut client, heard) = cluster.connect_and_listen();
    let free = text(&mut client, "SELECT socle.generate('Write a sentence about the sea.', max_tokens => 5)");
    assert!(!free.trim().is_empty());
    let said: Vec<String> = heard.try_iter().collect();
    assert_eq!(said, ["the text was cut off after 5 tokens: raise max_tokens for more"]);

    let choices = "ARRAY['a complaint', 'an order', 'Straße']";
    let chosen = text(&mut client, &format!("SELECT socle.generate('My parcel is broken.', choices => {choices})"));
    assert!(["a complaint", "an order", "Straße"].contains(&chosen.as_str()), "{chosen}");
    // At any temperature, with instructions, and for the last of a conversation.
    for temperature in ["0", "0.7", "2"] {
        let sql = format!(
            "SELECT socle.generate('[{{\"role\": \"system\", \"content\": \"Be short.\"}}, {{\"role\": \"user\", \"content\": \"Hi\"}},
                {{\"role\": \"assistant\", \"content\": \"Hello.\"}}, {{\"role\": \"user\", \"content\": \"Yes or no?\"}}]'::jsonb,
                temperature => {temperature}, choices => '{{yes,no}}')"
        );
        assert!(["yes", "no"].contains(&text(&mut client, &sql).as_str()));
    }
    assert_eq!(heard.try_iter().count(), 0, "nothing was cut off");

    let schema = "{\"type\": \"object\", \"properties\": {\"name\": {\"enum\": [\"Ann\", \"Bob\"]},
        \"age\": {\"type\": \"integer\"}}, \"required\": [\"name\", \"age\"], \"additionalProperties\": true}";
    let sql = format!(
        "SELECT jsonb_typeof(j->'name') || ' ' || jsonb_typeof(j->'age') FROM
         (SELECT socle.generate('Ann is 30 years old.', json_schema => '{schema}', system => 'Answer in JSON.')::jsonb) AS t (j)"
    );
    assert_eq!(text(&mut client, &sql), "string number");

    let cut = "SELECT socle.generate('Hi', choices => ARRAY[repeat('a long choice ', 20)], max_tokens => 3)";
    let (code, message, _, hint) = error_of(&client.query_one(cut, &[]).unwrap_err());
    assert_eq!((code.as_str(), message.as_str()), ("54000", "the text is not complete after 3 tokens"));
    assert!(hint.contains("max_tokens"), "{hint}");
}

#[test]
fn a_text_ends_before_a_stop_text_and_a_seed_repeats_it() {
    let cluster = cluster("");
    let mut client = cluster.connect();
    let count = "'Count: 1, 2, 3, 4, 5, 6', max_tokens => 40";
    let whole = text(&mut client, &format!("SELECT socle.generate({count})"));
    let middle: String = whole.chars().skip(whole.chars().count() / 2).take(3).collect();
    let stopped: String =
        client.query_one(&format!("SELECT socle.generate({count}, stop => ARRAY[$1])"), &[&middle]).unwrap().get(0);
    assert!(!stopped.contains(&middle) && stopped.len() < whole.len(), "{whole:?} {middle:?} {stopped:?}");
    let drawn = |client: &mut Client, seed: &str| {
        let sql =
            format!("SELECT socle.generate('Tell me a story.', max_tokens => 20, temperature => 1.5, seed => {seed})");
        text(client, &sql)
    };
    assert_eq!(drawn(&mut client, "-7"), drawn(&mut client, "-7"));
    let others: Vec<String> = (0..5).map(|seed| drawn(&mut client, &seed.to_string())).collect();
    assert!(others.iter().any(|other| *other != others[0]), "{others:?}");
}

#[test]
fn tokens_are_counted_as_the_model_gets_them() {
    let cluster = cluster("");
    let mut client = cluster.connect();
    let mut count = |argument: &str| -> i32 {
        client.query_one(&format!("SELECT socle.count_generator_tokens({argument})"), &[]).unwrap().get(0)
    };
    let (empty, short, long) = (count("'a'"), count("'a b c'"), count("repeat('word ', 1000)"));
    assert!(empty > 1 && short > empty && long > 1000, "{empty} {short} {long}");
    let conversation = "'[{\"role\": \"user\", \"content\": \"a b c\"}]'::jsonb";
    assert_eq!(count(conversation), short, "the same conversation");
    assert_eq!(
        client.query_one("SELECT socle.count_generator_tokens(NULL::text)", &[]).unwrap().get::<_, Option<i32>>(0),
        None
    );
}

#[test]
fn thirty_two_sessions_write_at_once() {
    let cluster = cluster("");
    let start = Barrier::new(32);
    let texts: Vec<String> = std::thread::scope(|scope| {
        let sessions: Vec<_> = (0..32)
            .map(|number| {
                let (cluster, start) = (&cluster, &start);
                scope.spawn(move || {
                    let mut client = cluster.connect();
                    start.wait();
                    let sql = "SELECT socle.generate($1, choices => ARRAY[$2, 'neither'])";
                    let name = format!("name {number}");
                    client.query_one(sql, &[&format!("Say {name}"), &name]).unwrap().get(0)
                })
            })
            .collect();
        sessions.into_iter().map(|session| session.join().unwrap()).collect()
    });
    for (number, text) in texts.into_iter().enumerate() {
        assert!(text == format!("name {number}") || text == "neither", "the text of another session: {number} {text}");
    }
    let mut client = cluster.connect();
    assert!(status::<i64>(&mut client, "request_count") >= 32);
    assert!(status::<i64>(&mut client, "answer_token_count") >= 32);
    eventually("all connections are closed", || (status::<i32>(&mut client, "connection_count") <= 1).then_some(()));
}

#[test]
fn a_prompt_from_a_corpus_is_written_to() {
    let cluster = cluster("");
    let mut client = cluster.connect();
    client
        .batch_execute(
            "CREATE TABLE article (id int PRIMARY KEY, body text);
             INSERT INTO article VALUES (1, 'The library opens at nine.');
             SELECT socle.create_corpus('handbook', 'article', ARRAY['body'], model => 'minilm')",
        )
        .unwrap();
    client.execute("SELECT socle.wait_for_corpus('handbook', '1 minute')", &[]).unwrap();
    let sql = "SELECT socle.generate(socle.prompt('handbook', 'When does the library open?'), max_tokens => 20)";
    assert!(!text(&mut client, sql).is_empty());
    // Its tokens can measure the passages, without the chat template.
    let sql =
        "SELECT token_count FROM socle.context_passages('handbook', 'When does the library open?', token_model => $1)";
    let count: i32 = client.query_one(sql, &[&"smol"]).unwrap().get(0);
    assert!((8..16).contains(&count), "{count}");
    assert_eq!(sqlstate(client.query(sql, &[&"nowhere"])), "42704");
    let nothing: Option<String> = client.query_one("SELECT socle.generate(NULL::jsonb)", &[]).unwrap().get(0);
    assert_eq!(nothing, None);
    // In a transaction that only reads, and in a function that catches errors.
    client.batch_execute("BEGIN READ ONLY; SELECT socle.generate('Hi', max_tokens => 3); COMMIT").unwrap();
    client
        .batch_execute(
            "DO $$ BEGIN PERFORM socle.generate('Hi', 'nowhere'); EXCEPTION WHEN undefined_object THEN NULL; END $$",
        )
        .unwrap();
    assert_eq!(sqlstate(client.execute("SELECT socle.generate('Hi', 'minilm')", &[])), "42704");
    generate(&mut client, "the session goes on").unwrap();
}
