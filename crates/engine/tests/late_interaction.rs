//! Models of late interaction: scores are those computed here from the table of the graph, whatever the batch, and files
//! that do not fit are refused.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod support;

use serde_json::{Value, json};
use socle_core::Kind;
use socle_core::model::{ModelKind, ModelOverrides, ModelSpec};
use socle_core::protocol::{EngineSettings, Request, Response};
use socle_core::search::token_vectors::{self, Query, TokenVectors};
use support::table::{self, Shape, WIDTH, row};
use support::{COLBERT, Client, Engine, Scratch, max_difference, settings};

const METADATA: &str = "artifact.metadata";
const QUERY: &str = "alpha delta";
const DOCUMENTS: [&str; 4] = ["beta : gamma", "", "delta alpha unknown beta beta : :", "last"];

/// Markers and mask are words of the table.
fn metadata() -> Value {
    json!({"query_token_id": "query", "doc_token_id": "passage", "query_maxlen": 8, "doc_maxlen": 12, "dim": WIDTH})
}

fn files(metadata: Value) -> Vec<(&'static str, Value)> {
    vec![(METADATA, metadata), ("tokenizer_config.json", json!({"mask_token": {"content": "other"}}))]
}

/// The vectors of tokens, of length 1.
fn vectors(ids: &[usize]) -> Vec<Vec<f32>> {
    let unit = |id: &usize| {
        let norm = row(*id).iter().map(|value| value * value).sum::<f32>().sqrt();
        row(*id).iter().map(|value| value / norm).collect()
    };
    ids.iter().map(unit).collect()
}

fn marked(marker: usize, text: &str) -> Vec<usize> {
    let mut ids = table::ids(text);
    ids.insert(1, marker);
    ids
}

/// `[Q]` is 9, `[D]` is 10, the mask 11. The tokenizer has ":" (12), and makes [UNK] (1) of other punctuation.
fn expected(query: &str, document: &str) -> f32 {
    let mut of_query = marked(9, query);
    of_query.resize(of_query.len().max(8), 11);
    let of_document: Vec<usize> = marked(10, document).into_iter().filter(|id| ![1, 12].contains(id)).collect();
    let document = vectors(&of_document);
    let greatest = |query: &Vec<f32>| {
        let product = |other: &Vec<f32>| query.iter().zip(other).map(|(a, b)| a * b).sum::<f32>();
        document.iter().map(product).fold(f32::MIN, f32::max)
    };
    vectors(&of_query).iter().map(greatest).sum()
}

fn engine(directory: &Scratch) -> Engine {
    let model_directory = directory.0.to_string_lossy().into_owned();
    Engine::start_with(&EngineSettings { model_directory, ..settings() })
}

#[test]
fn scores_are_sums_over_the_query_and_do_not_depend_on_company() {
    let directory = Scratch::new();
    table::write(&directory.0, "late", Shape::default(), &files(metadata()));
    let engine = engine(&directory);
    let mut client = engine.connect();
    let model = client.model("late");
    assert_eq!((model.kind, model.dimensions, model.max_tokens), (ModelKind::LateInteraction, WIDTH as u32, 12));
    assert!(model.batchable && model.normalize);
    let check = |client: &mut Client, query: &str| {
        let wanted: Vec<f32> = DOCUMENTS.iter().map(|document| expected(query, document)).collect();
        assert!(max_difference(&client.rerank(&model, query, &DOCUMENTS), &wanted) < 1e-4, "{query}");
        for (document, wanted) in DOCUMENTS.iter().zip(&wanted) {
            assert!((client.rerank(&model, query, &[document])[0] - wanted).abs() < 1e-4, "{query}: {document}");
        }
    };
    check(&mut client, QUERY);
    check(&mut client, "beta gamma delta Alpha last : alpha");
    assert!(client.rerank(&model, QUERY, &[]).is_empty());
    // Queries of several connections share batches.
    std::thread::scope(|scope| {
        for query in [QUERY, "beta", "gamma last", "delta"] {
            let (engine, check) = (&engine, &check);
            scope.spawn(move || {
                let mut client = engine.connect();
                (0..20).for_each(|_| check(&mut client, query));
            });
        }
    });
}

/// The vectors of the tokens of a query.
fn query_tokens(client: &mut Client, model: &ModelSpec, query: &str) -> Vec<f32> {
    match client.call(&Request::QueryTokens { model: model.clone(), query }).pop() {
        Some(Response::Vectors(vectors)) => vectors,
        other => panic!("{other:?}"),
    }
}

/// The stored vectors of the tokens of documents.
fn document_tokens(client: &mut Client, model: &ModelSpec, documents: &[&str]) -> Vec<Vec<u8>> {
    let request = Request::DocumentTokens { model: model.clone(), documents: documents.to_vec() };
    match client.call(&request).pop() {
        Some(Response::TokenVectors(stored)) => stored,
        other => panic!("{other:?}"),
    }
}

#[test]
fn token_vectors_are_those_that_scores_are_made_of() {
    let directory = Scratch::new();
    table::write(&directory.0, "late", Shape::default(), &files(metadata()));
    let engine = engine(&directory);
    let mut client = engine.connect();
    let model = client.model("late");
    let query = query_tokens(&mut client, &model, QUERY);
    let mut of_query = marked(9, QUERY);
    of_query.resize(8, 11);
    assert!(max_difference(&query, &vectors(&of_query).concat()) < 1e-5);
    let stored = document_tokens(&mut client, &model, &DOCUMENTS);
    for (document, stored) in DOCUMENTS.iter().zip(&stored) {
        // Without what is not compared, and as the vectors of the table are stored.
        let compared: Vec<usize> = marked(10, document).into_iter().filter(|id| ![1, 12].contains(id)).collect();
        let own = vectors(&compared);
        let own: Vec<&[f32]> = own.iter().map(Vec::as_slice).collect();
        assert_eq!(*stored, token_vectors::pack(&own, WIDTH).unwrap(), "{document}");
        assert_eq!(
            document_tokens(&mut client, &model, &[document]),
            std::slice::from_ref(stored),
            "{document}: alone"
        );
    }
    let long = "alpha ".repeat(20);
    assert_eq!(
        document_tokens(&mut client, &model, &[&long]),
        document_tokens(&mut client, &model, &[&"alpha ".repeat(9)])
    );
    assert_eq!(query_tokens(&mut client, &model, &long).len(), 12 * WIDTH, "cut to the window");
    assert!(document_tokens(&mut client, &model, &[]).is_empty());
    table::write(&directory.0, "embedding", Shape::default(), &[]);
    let embedding = client.model("embedding");
    for request in [
        Request::QueryTokens { model: embedding.clone(), query: QUERY },
        Request::DocumentTokens { model: embedding.clone(), documents: vec![QUERY] },
    ] {
        match client.call(&request).pop() {
            Some(Response::Failed { error, .. }) => assert_eq!(error.kind, Kind::WrongModelKind),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn texts_beyond_the_window_are_errors_or_cut() {
    let directory = Scratch::new();
    table::write(&directory.0, "late", Shape::default(), &files(metadata()));
    let engine = engine(&directory);
    let mut client = engine.connect();
    let model = client.model("late");
    let mut call = |query: &str, document: &str, truncate| {
        let request = Request::Rerank { model: model.clone(), truncate, query, documents: vec![document] };
        client.call(&request).pop().unwrap()
    };
    let long = "alpha ".repeat(20);
    for (query, document, item) in [(QUERY, long.as_str(), Some(0)), (long.as_str(), "beta", None)] {
        match call(query, document, false) {
            Response::Failed { error, item: at } => assert_eq!((error.kind, at), (Kind::InputTooLong, item)),
            other => panic!("{other:?}"),
        }
    }
    let cut = "alpha ".repeat(9);
    for (query, document, fitting) in [(QUERY, long.as_str(), (QUERY, cut.as_str())), (&long, "beta", (&cut, "beta"))] {
        match call(query, document, true) {
            Response::Scores(scores) => assert!((scores[0] - expected(fitting.0, fitting.1)).abs() < 1e-4),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn files_that_do_not_fit_are_refused() {
    let directory = Scratch::new();
    let engine = engine(&directory);
    let mut client = engine.connect();
    let mut inspect = |name: &str, files: &[(&str, Value)], overrides: ModelOverrides| {
        table::write(&directory.0, name, Shape::default(), files);
        client.inspect(name, overrides)
    };
    let mut refused = |name: &str, key: &str, value: Value| {
        let mut metadata = metadata();
        metadata[key] = value;
        inspect(name, &files(metadata), ModelOverrides::default()).unwrap_err()
    };
    let shorter = refused("shorter", "dim", json!(4));
    assert_eq!((shorter.kind, shorter.message.as_str()), (Kind::DimensionMismatch, "expected 4 dimensions, not 6"));
    assert!(shorter.hint.unwrap().contains("last layer"));
    let marker = refused("marker", "doc_token_id", json!("[unused1]"));
    assert_eq!(marker.kind, Kind::DamagedModelFile);
    assert!(marker.message.contains("\"[unused1]\""));
    assert_eq!(refused("similarity", "similarity", json!("l2")).kind, Kind::NotSupported);
    let late = ModelOverrides { kind: Some(ModelKind::LateInteraction), ..ModelOverrides::default() };
    let silent = inspect("silent", &[], late).unwrap_err();
    assert_eq!(silent.kind, Kind::InvalidArgument);
    assert!(silent.hint.unwrap().contains(METADATA));
    let maskless = inspect("maskless", &[(METADATA, metadata())], ModelOverrides::default()).unwrap_err();
    assert!(maskless.hint.unwrap().contains("tokenizer_config.json"));
    let prefix = ModelOverrides { query_prefix: Some("query: ".into()), ..ModelOverrides::default() };
    assert_eq!(inspect("prefix", &files(metadata()), prefix).unwrap_err().kind, Kind::InvalidArgument);
    let embedding = ModelOverrides { kind: Some(ModelKind::Embedding), ..ModelOverrides::default() };
    let embedding: ModelSpec = inspect("embedding", &files(metadata()), embedding).unwrap();
    assert!(embedding.late_interaction.is_none());
}

#[test]
fn the_model_of_set_up_puts_the_answer_first() {
    let engine = Engine::start();
    let mut client = engine.connect();
    let model = client.model(COLBERT);
    assert_eq!((model.kind, model.dimensions, model.max_tokens), (ModelKind::LateInteraction, 384, 300));
    assert!(!model.batchable, "its graph quantises dynamically");
    let documents = [
        "New York City is famous for the Metropolitan Museum of Art.",
        "Berlin has a population of 3,520,031 registered inhabitants in an area of 891.82 square kilometers.",
    ];
    let query = "How many people live in Berlin?";
    let scores = client.rerank(&model, query, &documents);
    assert!(scores[1] > scores[0] && scores.iter().all(|score| score.abs() <= 11.0), "{scores:?}");
    for (document, score) in documents.iter().zip(&scores) {
        assert!((client.rerank(&model, query, &[document])[0] - score).abs() < 1e-5);
    }
    let of_query = query_tokens(&mut client, &model, query);
    let stored = document_tokens(&mut client, &model, &documents);
    for (stored, score) in stored.iter().zip(&scores) {
        let found = TokenVectors::read(stored, 384, 300).unwrap().max_sim(&Query::new(of_query.clone(), 384)).unwrap();
        assert!((found - score).abs() < 0.05 * score, "{found}, not {score}");
    }
    assert_eq!(client.embed(&model, &["text"]).unwrap_err().kind, Kind::WrongModelKind);
}
