//! Several sessions at once, sessions that leave, and the prompt cache.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

mod support;

use socle_core::Kind;
use socle_core::generator::{Finish, Message, MessageRole};
use socle_core::protocol::{GeneratorResponse, GeneratorSettings};
use std::time::Duration;
use support::{Client, Generator, Question, eventually, settings};

/// Waits for the first piece of an answer.
fn first_piece(client: &mut Client) {
    loop {
        match client.receive().unwrap().1 {
            GeneratorResponse::Alive => {}
            GeneratorResponse::Text(_) => return,
            other => panic!("{other:?}"),
        }
    }
}

/// The rest of an answer, and how many pieces it has.
fn rest(client: &mut Client) -> (usize, Finish) {
    let mut pieces = 0;
    loop {
        match client.receive().unwrap().1 {
            GeneratorResponse::Alive => {}
            GeneratorResponse::Text(_) => pieces += 1,
            GeneratorResponse::Generated { finish, .. } => return (pieces, finish),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn answers_are_the_same_alone_and_beside_others() {
    let generator = Generator::start();
    let mut client = generator.connect();
    let spec = client.smollm2();
    let questions = ["What is the capital of France?", "What is two plus two?", "Name a colour.", "What is a cat?"];
    let alone: Vec<_> = questions.map(|text| client.ask(&spec, &Question::new(text, 12)).unwrap().text).into();
    let mut clients: Vec<Client> = (0..12).map(|_| generator.connect()).collect();
    for (at, client) in clients.iter_mut().enumerate() {
        client.send(&Question::new(questions[at % 4], 12).request(&spec));
    }
    for (at, client) in clients.iter_mut().enumerate() {
        let mut text = String::new();
        loop {
            match client.receive().unwrap().1 {
                GeneratorResponse::Alive => {}
                GeneratorResponse::Text(piece) => text += &piece,
                GeneratorResponse::Generated { .. } => break,
                other => panic!("{other:?}"),
            }
        }
        // Sums in another order may round to another choice late in an answer, not in its first words.
        let words = |text: &str| text.split_whitespace().take(3).map(str::to_string).collect::<Vec<_>>();
        assert_eq!(words(&text), words(&alone[at % 4]));
    }
    assert_eq!(generator.report().request_count, 1 + 4 + 12);
}

#[test]
fn a_long_prompt_does_not_stop_the_answers_of_others() {
    let generator = Generator::start();
    let mut client = generator.connect();
    let spec = client.smollm2();
    client.send(&Question::new("Write a long story of a cat.", 60).request(&spec));
    first_piece(&mut client);
    let text = "A sentence of some length about nothing in particular. ".repeat(150);
    let mut long = generator.connect();
    long.send(&Question::new(&text, 1).request(&spec));
    let (pieces, _) = rest(&mut client);
    assert!(pieces > 10);
    let state = generator.report();
    assert_eq!((state.running, state.queued), (1, 0), "the prompt takes longer than the answer");
    assert!(rest(&mut long).0 <= 1);
}

#[test]
fn who_leaves_is_no_longer_served() {
    let generator = Generator::start();
    let mut client = generator.connect();
    let spec = client.smollm2();
    let text = "A sentence of some length about nothing in particular. ".repeat(500);
    let mut leaving: Vec<Client> = (0..3).map(|_| generator.connect()).collect();
    for leaving in &mut leaving {
        leaving.send(&Question::new(&text, 10).request(&spec));
    }
    eventually("they run", || (generator.report().running == 3).then_some(()));
    drop(leaving);
    eventually("nothing runs", || (generator.report().running == 0).then_some(()));
    let report = generator.report();
    assert!(report.prompt_token_count < 3 * 5000, "{report:?}");
    assert!(client.ask(&spec, &Question::new("Hello", 2)).is_ok());
}

#[test]
fn the_head_of_a_prompt_is_computed_once() {
    let generator = Generator::start();
    let mut client = generator.connect();
    let spec = client.smollm2();
    let instructions = "You answer questions about animals, briefly and in whole sentences. ".repeat(10);
    let secret = "The password of the archive is swordfish and nobody may know of it. ".repeat(10);
    let mut computed = |question: &str| {
        let messages = vec![
            Message { role: MessageRole::System, content: &instructions },
            Message { role: MessageRole::User, content: question },
        ];
        let before = generator.report().prompt_token_count;
        let answer = client.ask(&spec, &Question { messages, ..Question::new("", 2) }).unwrap();
        (generator.report().prompt_token_count - before, u64::from(answer.prompt_tokens))
    };
    let (first, tokens) = computed("What is a cat?");
    assert_eq!(first, tokens);
    let (second, tokens) = computed("What is a dog?");
    assert!(second < 20 && tokens > 100, "{second} of {tokens}");
    // What the last message holds is not shared, not even with the same message: it may be known to one role alone.
    let (third, _) = computed(&secret);
    let (fourth, _) = computed(&secret);
    assert_eq!(third, fourth);
}

#[test]
fn a_prompt_has_the_same_answer_with_a_beginning_that_is_shared_and_without() {
    let generator = Generator::start();
    let mut client = generator.connect();
    let spec = client.smollm2();
    let instructions = "You answer questions about animals, briefly and in whole sentences. ".repeat(12);
    let passages = "Cats sleep for most of the day and hunt at night. ".repeat(16);
    let mut ask = |question: &str| {
        let messages = vec![
            Message { role: MessageRole::System, content: &instructions },
            Message { role: MessageRole::User, content: question },
        ];
        // Drawn, so that a difference in rounding shows.
        client
            .ask(&spec, &Question { messages, temperature: 1.0, seed: Some(7), ..Question::new("", 24) })
            .unwrap()
            .text
    };
    let first = ask(&passages);
    ask("What is a dog?");
    assert_eq!(ask(&passages), first);
}

#[test]
fn the_queue_is_bounded() {
    let generator = Generator::start();
    let mut client = generator.connect();
    let spec = client.smollm2();
    let mut clients: Vec<Client> = (0..130).map(|_| generator.connect()).collect();
    for client in &mut clients {
        client.send(&Question::new("Write a long story of a cat.", 500).request(&spec));
    }
    let refused = eventually("one is refused", || {
        clients.iter_mut().find_map(|client| {
            client.stream.set_read_timeout(Some(Duration::from_millis(1))).unwrap();
            client.try_failure()
        })
    });
    assert_eq!(refused.kind, Kind::OutOfMemory);
    let report = generator.report();
    assert!(report.running <= 8 && report.queued >= 100, "{report:?}");
    drop(clients);
    // It learns of one closed connection after the other.
    eventually("there is room again", || client.ask(&spec, &Question::new("Hello", 2)).ok());
}

#[test]
fn memory_is_bounded() {
    let generator = Generator::start_with(&GeneratorSettings { memory_limit_bytes: 64 << 20, ..settings() });
    let mut client = generator.connect();
    let error = client.inspect(support::SMOLLM2, Default::default()).unwrap_err();
    assert_eq!(error.kind, Kind::OutOfMemory);
    assert!(error.detail.unwrap().contains("socle.generator_memory_limit is 64 MB"));
    drop(generator);
    // Room for one model of two.
    let spec = Generator::start().connect().smollm2();
    let generator = Generator::start_with(&GeneratorSettings { memory_limit_bytes: 500 << 20, ..settings() });
    let mut client = generator.connect();
    let other = socle_core::generator::GeneratorSpec { digest: "0".repeat(64), name: "other".into(), ..spec.clone() };
    for spec in [&spec, &other, &spec] {
        client.ask(spec, &Question::new("Hello", 2)).unwrap();
        let loaded = generator.report().generators;
        assert_eq!(loaded.iter().map(|loaded| &loaded.digest).collect::<Vec<_>>(), [&spec.digest]);
    }
}
