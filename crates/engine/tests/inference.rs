//! Vectors and scores through a real engine, with real models.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

mod support;

use socle_core::Kind;
use socle_core::chunk::{Chunk, Format};
use socle_core::model::{ModelKind, ModelOverrides, ModelSpec, Pooling};
use socle_core::protocol::{Request, Response, Role};
use support::{BGE, Client, Engine, MINILM, MULTILINGUAL, RERANKER, max_difference};

/// Sentences of several languages and lengths.
fn texts() -> Vec<String> {
    let sentences = [
        "The postmaster starts one background process for every connection.",
        "Comment restaurer une sauvegarde après une panne de courant ?",
        "Wie groß darf ein Index werden, bevor man ihn neu aufbauen sollte?",
        "Dziennik zapisuje zmiany, zanim trafią do plików danych.",
        "データベースの復元には時間がかかります。",
        "قاعدة البيانات تحتاج إلى نسخة احتياطية كل ليلة.",
    ];
    (0..40)
        .map(|at| sentences.iter().cycle().skip(at).take(1 + at % 5).copied().collect::<Vec<_>>().join(" "))
        .collect()
}

fn borrowed(texts: &[String]) -> Vec<&str> {
    texts.iter().map(String::as_str).collect()
}

#[test]
fn a_text_has_one_vector_whatever_the_company_order_and_load() {
    let engine = Engine::start();
    let mut client = engine.connect();
    let texts = texts();
    for name in [MINILM, MULTILINGUAL] {
        let model = client.model(name);
        assert_eq!(model.batchable, name == MULTILINGUAL);
        let alone: Vec<Vec<f32>> =
            texts.iter().map(|text| client.embed(&model, &[text]).unwrap().pop().unwrap()).collect();
        let worst = |vectors: &[Vec<f32>], order: &dyn Fn(usize) -> usize| {
            vectors.iter().enumerate().map(|(at, vector)| max_difference(vector, &alone[order(at)])).fold(0.0, f32::max)
        };
        let together = client.embed(&model, &borrowed(&texts)).unwrap();
        assert!(worst(&together, &|at| at) <= 1e-5, "{name}: {}", worst(&together, &|at| at));
        let backwards: Vec<&str> = texts.iter().rev().map(String::as_str).collect();
        let vectors = client.embed(&model, &backwards).unwrap();
        assert!(worst(&vectors, &|at| texts.len() - 1 - at) <= 1e-5);
        std::thread::scope(|scope| {
            for shift in 0..6 {
                let (engine, model, texts, worst) = (&engine, &model, &texts, &worst);
                scope.spawn(move || {
                    let mut client = engine.connect();
                    let shifted: Vec<&str> =
                        (0..texts.len()).map(|at| texts[(at + shift) % texts.len()].as_str()).collect();
                    let vectors = client.embed(model, &shifted).unwrap();
                    assert!(worst(&vectors, &|at| (at + shift) % texts.len()) <= 1e-5);
                });
            }
        });
    }
}

#[test]
fn models_are_what_their_cards_say() {
    let engine = Engine::start();
    let mut client = engine.connect();
    let facts = |spec: &ModelSpec| (spec.kind, spec.dimensions, spec.max_tokens, spec.pooling, spec.normalize);
    assert_eq!(facts(&client.model(MINILM)), (ModelKind::Embedding, 384, 256, Pooling::Mean, true));
    assert_eq!(facts(&client.model(BGE)), (ModelKind::Embedding, 384, 512, Pooling::Cls, true));
    assert_eq!(facts(&client.model(MULTILINGUAL)), (ModelKind::Embedding, 512, 512, Pooling::None, true));
    assert_eq!(facts(&client.model(RERANKER)), (ModelKind::Reranker, 1, 512, Pooling::None, false));
}

#[test]
fn a_query_has_the_prefix_of_its_model() {
    let engine = Engine::start();
    let mut client = engine.connect();
    let bge = client.model(BGE);
    assert_eq!(bge.query_prefix, "Represent this sentence for searching relevant passages: ");
    let question = "how is a backup restored?";
    let query = client.embed_as(&bge, Role::Query, false, &[question]).unwrap();
    let prefixed = client.embed(&bge, &[&format!("{}{question}", bge.query_prefix)]).unwrap();
    assert_eq!(query, prefixed);
    assert!(max_difference(&query[0], &client.embed(&bge, &[question]).unwrap()[0]) > 1e-3);
}

#[test]
fn a_reranker_takes_no_prefix() {
    let engine = Engine::start();
    let mut client = engine.connect();
    let prefix = || Some("query: ".to_string());
    for overrides in [
        ModelOverrides { query_prefix: prefix(), ..ModelOverrides::default() },
        ModelOverrides { passage_prefix: prefix(), ..ModelOverrides::default() },
    ] {
        let error = client.inspect(RERANKER, overrides).unwrap_err();
        assert_eq!((error.kind, error.message.as_str()), (Kind::InvalidArgument, "a reranker takes no prefix"));
    }
    let empty = ModelOverrides { query_prefix: Some(String::new()), ..ModelOverrides::default() };
    assert_eq!(client.inspect(RERANKER, empty).unwrap(), client.model(RERANKER));
}

#[test]
fn a_reranker_puts_the_answer_first() {
    let engine = Engine::start();
    let mut client = engine.connect();
    let reranker = client.model(RERANKER);
    let documents = [
        "New York City is famous for the Metropolitan Museum of Art.",
        "Berlin has a population of 3,520,031 registered inhabitants in an area of 891.82 square kilometers.",
        "",
    ];
    let scores = client.rerank(&reranker, "How many people live in Berlin?", &documents);
    // The model card: 8.6 and -4.3 for the logits of the fp32 model on other texts; int8 gives 9.4 and -11.2 here.
    assert!(scores[1] > 8.0 && scores[0] < -10.0 && scores[2] < 0.0, "{scores:?}");
}

#[test]
fn texts_over_the_window_are_errors_or_cut_as_asked() {
    let engine = Engine::start();
    let mut client = engine.connect();
    let minilm = client.model(MINILM);
    let long = "word ".repeat(300);
    let error = client.embed(&minilm, &["short", &long]).unwrap_err();
    assert_eq!(error.kind, Kind::InputTooLong);
    assert_eq!(error.message, "text has 302 tokens, model \"all-minilm-l6-v2\" takes 256");
    let cut = client.embed_as(&minilm, Role::Passage, true, &[&long]).unwrap();
    let fitting = client.embed(&minilm, &["word ".repeat(254).trim()]).unwrap();
    assert!(max_difference(&cut[0], &fitting[0]) < 1e-6, "the first 254 words, between [CLS] and [SEP]");

    let reranker = client.model(RERANKER);
    let mut pair = |query: &str, document: &str, truncate| {
        let documents = vec![document];
        client.call(&Request::Rerank { model: reranker.clone(), truncate, query, documents }).pop().unwrap()
    };
    let long = "word ".repeat(600);
    assert!(
        matches!(pair("word", &long, false), Response::Failed { error, item: Some(0) } if error.kind == Kind::InputTooLong)
    );
    assert!(matches!(pair("word", &long, true), Response::Scores(_)));
    assert!(
        matches!(pair(&long, "word", true), Response::Failed { error, .. } if error.message.starts_with("query has"))
    );
}

#[test]
fn special_tokens_in_a_text_are_text() {
    let engine = Engine::start();
    let mut client = engine.connect();
    let minilm = client.model(MINILM);
    let mut count = |content| match client.call(&Request::CountTokens { model: minilm.clone(), content }).pop() {
        Some(Response::Count(count)) => count,
        other => panic!("{other:?}"),
    };
    assert_eq!(count("word"), 3);
    assert_eq!(count(""), 2);
    assert_eq!(count("[SEP]"), 5, "[CLS] [ sep ] [SEP]");
}

#[test]
fn kinds_do_not_mix() {
    let engine = Engine::start();
    let mut client = engine.connect();
    let (minilm, reranker) = (client.model(MINILM), client.model(RERANKER));
    assert_eq!(client.embed(&reranker, &["x"]).unwrap_err().kind, Kind::WrongModelKind);
    let request = Request::Rerank { model: minilm, truncate: false, query: "q", documents: vec!["d"] };
    assert!(matches!(
        client.call(&request).pop(),
        Some(Response::Failed { error, .. }) if error.kind == Kind::WrongModelKind
    ));
    let error = client.inspect(RERANKER, ModelOverrides { kind: Some(ModelKind::Embedding), ..Default::default() });
    assert_eq!(error.unwrap_err().kind, Kind::InvalidArgument);
}

fn chunks(client: &mut Client, request: &Request<'_>) -> socle_core::Result<Vec<Chunk>> {
    let mut chunks = Vec::new();
    for answer in client.call(request) {
        match answer {
            Response::Chunks { chunks: part, .. } => chunks.extend(part),
            Response::Failed { error, .. } => return Err(error),
            other => panic!("{other:?}"),
        }
    }
    Ok(chunks)
}

#[test]
fn chunks_are_counted_in_exact_tokens_of_the_model() {
    let engine = Engine::start();
    let mut client = engine.connect();
    let content = texts().join("\n\n");
    for name in [MINILM, MULTILINGUAL] {
        let model = client.model(name);
        let request = |max_size, overlap| Request::Chunk {
            model: Some(model.clone()),
            max_size,
            overlap,
            format: Format::Plain,
            previous: Vec::new(),
            content: &content,
        };
        for (max, overlap) in [(12, 0), (40, 0), (40, 10)] {
            let chunks = chunks(&mut client, &request(Some(max), overlap)).unwrap();
            assert!(chunks.len() > 10);
            for chunk in &chunks {
                let text: String = content.chars().skip(chunk.start).take(chunk.end - chunk.start).collect();
                assert_eq!(text, chunk.content);
                let counted = client.call(&Request::CountTokens { model: model.clone(), content: &chunk.content });
                assert_eq!(counted, [Response::Count(chunk.size as u32)]);
                assert!(chunk.size as u32 <= max, "{chunk:?}");
            }
            let overlaps = chunks.windows(2).filter(|pair| pair[1].start < pair[0].end).count();
            assert_eq!(overlaps > 0, overlap > 0);
        }
        let whole = chunks(&mut client, &request(None, 0)).unwrap();
        assert!(whole.iter().all(|chunk| chunk.size as u32 <= model.max_tokens));
        for (max, overlap) in [(Some(2), 0), (Some(100_000), 0), (Some(20), 20)] {
            let error = chunks(&mut client, &request(max, overlap)).unwrap_err();
            assert_eq!(error.kind, Kind::InvalidArgument, "{error}");
        }
    }
}

#[test]
fn a_head_counts_as_text_and_gives_way_to_it() {
    let engine = Engine::start();
    let mut client = engine.connect();
    let model = client.model(MINILM);
    let mut headed = |head: &str, content: &str| {
        let request = Request::Embed {
            model: model.clone(),
            role: Role::Passage,
            truncate: false,
            heads: vec![head],
            contents: vec![content],
        };
        match client.call(&request).pop() {
            Some(Response::Vectors(values)) => Ok(values),
            Some(Response::Failed { error, .. }) => Err(error),
            other => panic!("{other:?}"),
        }
    };
    let [with_head, without_head] = [headed("Handbook\n", "Stop it."), headed("", "Stop it.")].map(Result::unwrap);
    let long_head = headed(&"word ".repeat(1000), "Stop it.").unwrap();
    let full = "word ".repeat(254);
    let no_room = headed("Handbook\n", &full).unwrap();
    assert_eq!(headed("Handbook\n", &"word ".repeat(255)).unwrap_err().kind, Kind::InputTooLong);
    let texts = client.embed(&model, &["Handbook\nStop it.", "Stop it.", &full]).unwrap();
    assert!(max_difference(&with_head, &texts[0]) < 1e-5);
    assert!(max_difference(&without_head, &texts[1]) < 1e-5);
    assert!(max_difference(&long_head, &texts[1]) > 0.01, "some of the head is there");
    assert!(max_difference(&no_room, &texts[2]) < 1e-5);
}
