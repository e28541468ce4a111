//! Vectors and scores through a real engine, with real models.
#![allow(clippy::unwrap_used, missing_docs)]

mod support;

use socle_core::model::{ModelKind, Pooling};
use support::{BGE, Engine, MINILM, RERANKER};

#[test]
fn first_light() {
    let engine = Engine::start();
    let mut client = engine.connect();
    let minilm = client.model(MINILM);
    println!("{minilm:#?}");
    let bge = client.model(BGE);
    println!("{bge:#?}");
    let reranker = client.model(RERANKER);
    println!("{reranker:#?}");
    let v = client.embed(&minilm, &["hello world", "how are you?"]).unwrap();
    println!("{:?}", &v[0][..5]);
    let s = client.rerank(
        &reranker,
        "How many people live in Berlin?",
        &[
            "Berlin has a population of 3,520,031 registered inhabitants in an area of 891.82 square kilometers.",
            "New York City is famous for the Metropolitan Museum of Art.",
        ],
    );
    println!("{s:?}");
    println!("{:#?} {:?}", engine.report(), engine.logged);
    assert_eq!(minilm.kind, ModelKind::Embedding);
    assert_eq!(bge.pooling, Pooling::Cls);
}
