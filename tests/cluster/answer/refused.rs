//! Questions that no generator is asked, arguments that make no sense, and generators and corpora in odd states. After each,
//! the session lives and the next answer comes.

use super::{QUESTIONS, answer, with_guides};
use crate::search::value;
use crate::sqlstate;
use postgres::Client;
use socle_tests::{eventually, signal};

fn fails(client: &mut Client, arguments: &str) -> (String, String, String) {
    let error = client.query(&format!("SELECT * FROM socle.answer({arguments})"), &[]).expect_err(arguments);
    let (state, message, detail, hint) = socle_tests::error_of(&error);
    assert_eq!(answer(client, QUESTIONS[0], "")["declined"], false, "after {arguments}");
    (state, format!("{message} ({detail})"), hint)
}

#[test]
fn below_the_gate_no_generator_is_asked() {
    let (_cluster, mut client) = with_guides("");
    answer(&mut client, QUESTIONS[0], "");
    let count = "SELECT request_count FROM socle.generator_status WHERE name = 'smol'";
    let before: i64 = value(&mut client, count);
    for (question, arguments) in [
        ("Who painted the ceiling of the chapel?", ""),
        ("When is a backup of Oracle 19c made?", ""),
        ("When is a backup made?", ", min_relevance => 1000"),
        ("When is a backup made?", ", filter => '{\"id\": 999}'"),
        ("?", ""),
    ] {
        let refused = answer(&mut client, question, arguments);
        assert_eq!(
            (&refused["declined"], &refused["generator"]),
            (&true.into(), &serde_json::Value::Null),
            "{refused}"
        );
    }
    // But for the reports themselves.
    assert!(value::<i64>(&mut client, count) <= before + 1);
}

#[test]
fn what_makes_no_sense_or_does_not_fit_is_refused() {
    let (_cluster, mut client) = with_guides("");
    let (state, message, hint) = fails(&mut client, "'guide', 'cats', 'nowhere'");
    assert!(state == "42704" && message.contains("nowhere") && hint.contains("smol"), "{message} {hint}");
    let (state, _, hint) = fails(&mut client, "'guide', 'cats', mode => 'generated'");
    assert!(state == "22023" && hint.contains("default_generator"), "{hint}");
    let (state, _, hint) = fails(&mut client, "'guide', 'cats', 'smol', template => 'nowhere'");
    assert!(state == "42704" && hint.contains("default"), "{hint}");
    let (state, message, hint) =
        fails(&mut client, "'guide', 'How long do cats sleep?', 'smol', context_tokens => 1000000");
    assert!(
        state == "22023" && message.contains("does not fit") && hint.contains("context_tokens"),
        "{message} {hint}"
    );
    let (state, message, _) = fails(&mut client, "'guide', 'How long do cats sleep?', 'smol', max_tokens => 100000");
    assert!(state == "22023" && message.contains("does not fit"), "{message}");
    let (state, message, _) = fails(&mut client, "'guide', 'How long do cats sleep?', 'smol', context_tokens => 2");
    assert!(state == "22023" && message.contains("context_tokens 2 is too small"), "{message}");
    // A mail of 52 kB is no question for a model with such a context.
    let (state, message, _) =
        fails(&mut client, "'guide', repeat('How long do cats sleep? ', 2200), 'smol', min_relevance => -100");
    assert!(state == "22023" && message.contains("does not fit"), "{message}");
    assert_eq!(fails(&mut client, "'guide', ' ', 'smol'").0, "22023");
    assert_eq!(fails(&mut client, "'guide', 'cats', 'smol', conversation => '[1]'").0, "22023");
    assert_eq!(fails(&mut client, "'guide', 'cats', 'smol', temperature => -1").0, "22023");
}

#[test]
fn a_generator_that_dies_or_a_corpus_that_is_not_ready_is_said() {
    let (cluster, mut client) = with_guides("");
    answer(&mut client, QUESTIONS[0], "");
    for _ in 0..3 {
        let pid = eventually("a generator", || cluster.generator_pid());
        let text = "SELECT socle.answer('guide', 'When is a backup made?', 'smol', max_tokens => 400, temperature => 1.5, seed => 3)";
        std::thread::scope(|scope| {
            let mut other = cluster.connect();
            let statement =
                scope.spawn(move || other.simple_query(text).err().map(|error| socle_tests::error_of(&error).0));
            eventually("the generator is at work", || {
                let running = "SELECT max(running_count) > 0 FROM socle.generator_status";
                let works: Option<bool> = client.query_one(running, &[]).unwrap().get(0);
                (works == Some(true) || statement.is_finished()).then_some(())
            });
            signal(pid, 9);
            let state = statement.join().unwrap();
            assert!(state.is_none() || state.as_deref() == Some("38000"), "{state:?}");
        });
        eventually("another generator", || (cluster.generator_pid() != Some(pid)).then_some(()));
        assert_eq!(answer(&mut client, QUESTIONS[0], "")["declined"], false);
    }
    // In each phase a timeout ends the statement, and nothing else.
    for timeout in [1, 5, 20, 60, 150, 400] {
        client.batch_execute(&format!("SET statement_timeout = {timeout}")).unwrap();
        let state = client.simple_query(
            "SELECT socle.answer('guide', 'And when?', 'smol', max_tokens => 500, temperature => 1, conversation => '[{\"role\": \"user\", \"content\": \"Is a backup made?\"}]')",
        );
        client.batch_execute("RESET statement_timeout").unwrap();
        assert_eq!(sqlstate(state), "57014", "{timeout}");
        assert_eq!(answer(&mut client, QUESTIONS[0], "")["declined"], false);
    }
    client
        .batch_execute(
            "CREATE TABLE empty (id int PRIMARY KEY, body text); SELECT socle.create_corpus('empty', 'empty', '{body}', model => 'minilm')",
        )
        .unwrap();
    client.batch_execute("CALL socle.sync_corpus('empty')").unwrap();
    let declined = "SELECT declined AND generator IS NULL FROM socle.answer('empty', 'When is a backup made?', 'smol')";
    assert!(value::<bool>(&mut client, declined));
    client.batch_execute("DROP TABLE guide_change").unwrap();
    assert_eq!(sqlstate(client.query("SELECT socle.answer('guide', 'cats', 'smol')", &[])), "55000");
}
