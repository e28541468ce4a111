//! Order of service: lanes, fairness, cancellation, suspect requests, limits. Verified by the order of responses, not by
//! clocks: work that has to be in progress during a test never ends by itself, and work that has to end is measured first.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

mod support;

use socle_core::Kind;
use socle_core::model::ModelSpec;
use socle_core::protocol::{EngineSettings, FLAG_SUSPECT, Request, Response, Role};
use std::time::{Duration, Instant};
use support::onnx::{self, Flaw};
use support::{Client, Engine, Scratch, eventually, settings};

/// An engine with one thread for each lane and a model whose word "slow" takes a while.
struct Slow {
    models: Scratch,
    engine: Engine,
    client: Client,
    model: ModelSpec,
}

/// Rounds of a loop that takes longer than any client waits ([`support::PATIENCE`]): about forty minutes on one core.
const ENDLESS: u64 = 100_000_000;

/// Rounds of a loop by which the speed of the processor is measured.
const SAMPLE: u64 = 2_000;

impl Slow {
    /// A model whose slow word never ends.
    fn endless() -> Self {
        let mut slow = Self::start(ENDLESS);
        slow.model = slow.client.model("slow");
        slow
    }

    /// A model whose slow word takes about this long under the current load of the machine.
    fn lasting(time: Duration) -> Self {
        let mut slow = Self::start(SAMPLE);
        let sample = slow.client.model("slow");
        slow.client.embed(&sample, &["one"]).unwrap();
        let begun = Instant::now();
        slow.client.embed(&sample, &["slow"]).unwrap();
        let turns = SAMPLE as f64 * time.as_secs_f64() / begun.elapsed().as_secs_f64();
        onnx::write(&slow.models.0.join("calibrated"), &Flaw { slow: turns as u64, ..Flaw::default() });
        slow.model = slow.client.model("calibrated");
        slow
    }

    fn start(turns: u64) -> Self {
        let models = Scratch::new();
        onnx::write(&models.0.join("slow"), &Flaw { slow: turns, ..Flaw::default() });
        onnx::write(&models.0.join("sound"), &Flaw::default());
        let model_directory = models.0.to_string_lossy().into_owned();
        // A budget that no two texts fit into: each run has one text, so that runs can be counted.
        let settings = EngineSettings { threads: 1, batch_tokens: 1, model_directory, ..settings() };
        let engine = Engine::start_with(&settings);
        let mut client = engine.connect();
        let model = client.model("sound");
        Self { models, engine, client, model }
    }

    fn embed<'a>(&self, role: Role, contents: &[&'a str]) -> Request<'a> {
        Request::Embed {
            model: self.model.clone(),
            role,
            truncate: false,
            heads: Vec::new(),
            contents: contents.to_vec(),
        }
    }
}

fn wait_for_bulk(engine: &Engine, wanted: impl Fn(u32) -> bool) {
    eventually("the bulk queue is as expected", || wanted(engine.report().bulk_queue).then_some(()));
}

#[test]
fn a_query_overtakes_bulk_work() {
    let mut slow = Slow::endless();
    for _ in 0..8 {
        let request = slow.embed(Role::Passage, &["slow", "slow"]);
        slow.client.send(0, &request);
    }
    wait_for_bulk(&slow.engine, |length| length == 8);
    let mut other = slow.engine.connect();
    let query = slow.embed(Role::Query, &["one"]);
    assert!(matches!(other.call(&query).pop(), Some(Response::Vectors(_))));
    let report = slow.engine.report();
    assert_eq!((report.bulk_queue, report.interactive_queue), (8, 0));
}

#[test]
fn a_small_request_does_not_wait_for_all_of_a_large_one() {
    let mut slow = Slow::lasting(Duration::from_millis(500));
    let mut other = slow.engine.connect();
    for _ in 0..8 {
        let request = slow.embed(Role::Passage, &["slow", "slow", "slow"]);
        slow.client.send(0, &request);
    }
    let small = slow.embed(Role::Passage, &["one"]);
    assert!(matches!(other.call(&small).pop(), Some(Response::Vectors(_))));
    assert!(slow.engine.report().bulk_queue >= 6);
}

#[test]
fn whoever_leaves_frees_the_engine_at_once() {
    let mut slow = Slow::endless();
    let before = slow.engine.report().text_count;
    let request = slow.embed(Role::Passage, &["slow", "slow", "slow"]);
    slow.client.send(0, &request);
    wait_for_bulk(&slow.engine, |length| length == 1);
    // It most likely runs by now.
    std::thread::sleep(Duration::from_millis(100));
    drop(std::mem::replace(&mut slow.client, slow.engine.connect()));
    let request = slow.embed(Role::Passage, &["one"]);
    assert!(matches!(slow.client.call(&request).pop(), Some(Response::Vectors(_))));
    assert_eq!(slow.engine.report().text_count, before + 1, "cancelled texts have not been run");
}

#[test]
fn whoever_leaves_ends_the_chunking_of_a_large_text() {
    let engine = Engine::start_with(&EngineSettings { threads: 1, ..settings() });
    let mut client = engine.connect();
    let model = client.model(support::MINILM);
    let content = "La base de données écrit un journal. ".repeat(1_000_000);
    let format = socle_core::chunk::Format::Plain;
    let request = Request::Chunk {
        model: Some(model.clone()),
        max_size: Some(100),
        overlap: 0,
        format,
        previous: Vec::new(),
        content: &content,
    };
    client.send(0, &request);
    assert!(matches!(client.receive(), Some((_, Response::Chunks { last: false, .. } | Response::Alive))));
    drop(client);
    // Behind the rest of the text, this would time out.
    let mut client = engine.connect();
    assert_eq!(client.call(&Request::CountTokens { model, content: "one" }), [Response::Count(3)]);
}

#[test]
fn whoever_leaves_ends_the_trial_of_a_new_model() {
    let models = Scratch::new();
    // Trial texts consist of words that the tokenizer does not know.
    let endless = Flaw { slow: ENDLESS, slow_word: Some("[UNK]"), ..Flaw::default() };
    onnx::write(&models.0.join("endless"), &endless);
    onnx::write(&models.0.join("sound"), &Flaw::default());
    let model_directory = models.0.to_string_lossy().into_owned();
    let engine = Engine::start_with(&EngineSettings { threads: 1, model_directory, ..settings() });
    let mut client = engine.connect();
    client.send(0, &Request::Inspect { name: "endless", directory: "endless", overrides: Default::default() });
    wait_for_bulk(&engine, |length| length == 1);
    // A trial run is most likely in progress by now.
    std::thread::sleep(Duration::from_millis(200));
    drop(client);
    engine.connect().model("sound");
}

#[test]
fn requests_beyond_what_memory_is_meant_for_are_refused_and_queries_are_not() {
    let mut slow = Slow::endless();
    let request = slow.embed(Role::Passage, &["slow"]);
    slow.client.send(0, &request);
    let document = "word ".repeat(12 << 20);
    let mut clients: Vec<Client> = (0..5).map(|_| slow.engine.connect()).collect();
    for client in &mut clients {
        client.send(0, &chunk(&document, 1_000, 0));
    }
    wait_for_bulk(&slow.engine, |length| length == 6);
    let mut other = slow.engine.connect();
    let refused = |answers: Vec<Response>| match answers.as_slice() {
        [Response::Failed { error, .. }] => error.kind == Kind::OutOfMemory && error.message.starts_with("too many"),
        _ => false,
    };
    // The connection is still usable.
    for _ in 0..2 {
        assert!(refused(other.call(&chunk(&document, 1_000, 0))));
    }
    let query = slow.embed(Role::Query, &["one"]);
    assert!(matches!(other.call(&query).pop(), Some(Response::Vectors(_))));
    clients.pop();
    wait_for_bulk(&slow.engine, |length| length < 6);
    other.send(0, &chunk(&document, 1_000, 0));
    wait_for_bulk(&slow.engine, |length| length == 6);
}

/// Chunks by characters.
fn chunk(content: &str, max_size: u32, overlap: u32) -> Request<'_> {
    let format = socle_core::chunk::Format::Plain;
    Request::Chunk { model: None, max_size: Some(max_size), overlap, format, previous: Vec::new(), content }
}

#[test]
fn an_overlap_that_multiplies_a_text_is_refused() {
    let engine = Engine::start();
    let mut client = engine.connect();
    let content = "a word and another ".repeat(250_000);
    match client.call(&chunk(&content, 200, 190)).pop() {
        Some(Response::Failed { error, .. }) => {
            assert_eq!(error.kind, Kind::InputTooLong);
            assert!(error.message.contains("67108864"), "{error}");
            assert!(error.hint.unwrap().contains("overlap"));
        }
        _ => panic!("not refused"),
    }
    assert!(matches!(client.call(&chunk(&content, 200, 100)).pop(), Some(Response::Chunks { last: true, .. })));
}

#[test]
fn chunks_that_nobody_reads_do_not_pile_up() {
    let engine = Engine::start();
    let mut client = engine.connect();
    let content = "a word and another ".repeat(500_000);
    client.send(0, &chunk(&content, 1_000, 800));
    wait_for_bulk(&engine, |length| length == 1);
    // Time enough for chunks to accumulate; on a slower machine there are fewer.
    std::thread::sleep(Duration::from_secs(3));
    let report = engine.report();
    assert_eq!(report.bulk_queue, 1, "it waits for its reader");
    // The text has 10 MB, once in the frame and once in the request; its chunks have 50 MB.
    assert!(report.memory_bytes < 40 << 20, "{}", report.memory_bytes);
    let mut bytes = 0;
    loop {
        if let (_, Response::Chunks { chunks, last }) = client.receive().unwrap() {
            bytes += chunks.iter().map(|chunk| chunk.content.len()).sum::<usize>();
            if last {
                break;
            }
        }
    }
    assert!(bytes > 30 << 20, "{bytes}");
}

/// The next response that is no keep-alive.
fn answer(client: &mut Client) -> Response {
    loop {
        match client.receive().unwrap().1 {
            Response::Alive => {}
            answer => return answer,
        }
    }
}

#[test]
fn a_suspect_says_that_it_runs_alone_and_others_wait() {
    let mut slow = Slow::lasting(Duration::from_secs(1));
    let mut other = slow.engine.connect();
    let suspect = slow.embed(Role::Passage, &["slow"]);
    slow.client.send(FLAG_SUSPECT, &suspect);
    assert!(matches!(answer(&mut slow.client), Response::Alone));
    // The query is answered, but only after the suspect.
    let query = slow.embed(Role::Query, &["one"]);
    other.send(0, &query);
    assert!(matches!(answer(&mut other), Response::Vectors(_)));
    assert_eq!(slow.engine.report().bulk_queue, 0);
    assert!(matches!(answer(&mut slow.client), Response::Vectors(_)));
}

#[test]
fn a_waiting_backend_gets_signs_of_life() {
    let mut slow = Slow::endless();
    let request = slow.embed(Role::Passage, &["slow"]);
    slow.client.send(0, &request);
    for _ in 0..2 {
        let answer = slow.client.receive();
        assert!(matches!(answer, Some((0, Response::Alive))), "{answer:?}");
    }
}

#[test]
fn a_connection_that_sends_without_end_waits_and_loses_nothing() {
    let engine = Engine::start();
    let mut client = engine.connect();
    let model = client.model(support::MULTILINGUAL);
    let texts: Vec<String> = (0..200).map(|at| format!("request number {at} says what others say too")).collect();
    let mut writer = Client::raw(&engine.socket());
    assert!(matches!(
        writer.call(&Request::Hello { protocol: socle_core::protocol::PROTOCOL_VERSION }).pop(),
        Some(Response::Welcome { .. })
    ));
    for text in &texts {
        let contents = vec![text.as_str()];
        writer.send(
            0,
            &Request::Embed { model: model.clone(), role: Role::Passage, truncate: false, heads: Vec::new(), contents },
        );
        assert!(engine.report().bulk_queue <= 8);
    }
    let mut answered: Vec<u32> = Vec::new();
    while answered.len() < texts.len() {
        if let Some((id, Response::Vectors(_))) = writer.receive() {
            answered.push(id);
        }
    }
    answered.sort_unstable();
    assert_eq!(answered, (2..=201).collect::<Vec<u32>>());
}

#[test]
fn a_text_that_fails_takes_no_other_with_it() {
    let models = Scratch::new();
    onnx::write(&models.0.join("model"), &Flaw::default());
    let model_directory = models.0.to_string_lossy().into_owned();
    let engine = Engine::start_with(&EngineSettings { model_directory, ..settings() });
    let mut client = engine.connect();
    // With the mean, "one three" is a vector of zeros here and cannot be normalised.
    let model = client.model("model");
    let poison = ["one", "two", "three", "slow"].iter().find(|word| client.embed(&model, &[word]).is_err()).copied();
    assert_eq!(poison, None, "single words are sound");
    let sound = client.embed(&model, &["one", "two"]).unwrap();
    let mut broken = model.clone();
    broken.output = "nothing".into();
    let contents = vec!["one"];
    client
        .send(0, &Request::Embed { model: broken, role: Role::Passage, truncate: false, heads: Vec::new(), contents });
    let contents = vec!["one", "two"];
    client.send(0, &Request::Embed { model, role: Role::Passage, truncate: false, heads: Vec::new(), contents });
    let (mut failed, mut answered) = (0, 0);
    while failed + answered < 2 {
        match client.receive().unwrap().1 {
            Response::Failed { error, .. } => {
                assert_eq!(error.kind, Kind::InferenceFailed);
                failed += 1;
            }
            Response::Vectors(values) => {
                assert_eq!(values, sound.concat());
                answered += 1;
            }
            _ => {}
        }
    }
    assert_eq!((failed, answered), (1, 1));
}

#[test]
fn the_memory_limit_drops_the_model_used_least_recently() {
    let two = Engine::start();
    let mut client = two.connect();
    let (a, b, c) = (client.model(support::MINILM), client.model(support::MULTILINGUAL), client.model(support::BGE));
    let sizes: Vec<u64> = two.report().models.iter().map(|model| model.memory_bytes).collect();
    let limit = sizes.iter().sum::<u64>() - sizes.iter().min().unwrap();
    let engine = Engine::start_with(&EngineSettings { memory_limit_bytes: limit, ..settings() });
    let mut client = engine.connect();
    for model in [&a, &b, &a, &c, &a, &b] {
        client.embed(model, &["text"]).unwrap();
        let report = engine.report();
        assert!(report.models.iter().map(|model| model.memory_bytes).sum::<u64>() <= limit);
        assert_eq!(report.models.first().map(|model| model.digest.clone()), Some(model.digest()));
    }
    let loaded: Vec<String> = engine.report().models.iter().map(|model| model.digest.clone()).collect();
    assert!(!loaded.contains(&c.digest()), "the least recently used is gone");
    let tiny = Engine::start_with(&EngineSettings { memory_limit_bytes: 1 << 20, ..settings() });
    let error = tiny.connect().embed(&a, &["text"]).unwrap_err();
    assert_eq!(error.kind, Kind::OutOfMemory);
}
