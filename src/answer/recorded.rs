//! What the ledger is told of an answer: who asked is there, of what the question and the answer were only keyed hashes, and of
//! each sentence where it stands.

use super::answered::Answer;
use crate::catalog::CorpusSpec;
use crate::ledger::{self, Event, EventKind};
use crate::search::request::SearchRequest;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use socle_core::protocol::VERSION;

/// The corpora that are asked, by name and digest of their models.
#[derive(Clone, Debug)]
pub struct Asked(Vec<Value>);

impl Asked {
    /// As they are now.
    pub fn of(corpora: &[CorpusSpec]) -> Self {
        let corpus = |corpus: &CorpusSpec| json!({"corpus": corpus.name, "model_digest": corpus.options.model_digest});
        Self(corpora.iter().map(corpus).collect())
    }
}

/// The part of a citation that the ledger has: no text.
#[derive(Deserialize)]
struct Citation<'a> {
    corpus: String,
    #[serde(borrow)]
    source_key: &'a RawValue,
    start_offset: i32,
    end_offset: i32,
    content_sha256: String,
    extractor: Option<String>,
}

/// Tells the ledger of an answer, or that a question was declined; not why, because that names words of the question.
pub fn tell(asked: &Asked, request: &SearchRequest, answer: &Answer) {
    let mut event = Event::new(EventKind::Answer)
        .with("corpora", asked.0.clone())
        .with("socle_version", VERSION)
        .with("decision", if answer.refusal.is_some() { "declined" } else { "answered" })
        .with("citations", answer.citations.iter().filter_map(|json| cited(json)).collect::<Vec<_>>())
        .with("removed_sentences", answer.removed.len())
        .with_text("question", Some(&request.query))
        .with_text("answer", answer.text.as_deref());
    if let Some(reranker) = &request.reranker {
        event = event.with("rerank_model_digest", reranker.digest());
    }
    if let Some(generation) = &answer.generation {
        event = event
            .with("generator", generation.generator.as_str())
            .with("generator_digest", generation.digest.as_str())
            .with("prompt_tokens", generation.prompt_tokens)
            .with("answer_tokens", generation.answer_tokens)
            .with("finish", generation.finish.as_str());
    }
    ledger::tell(&event);
}

/// A citation as the ledger has it. The key is a text, so that its numbers keep all their digits.
fn cited(json: &str) -> Option<Value> {
    let citation: Citation<'_> = serde_json::from_str(json).ok()?;
    let Citation { corpus, source_key, start_offset, end_offset, content_sha256, extractor } = citation;
    let mut cited = json!({
        "corpus": corpus,
        "source_key": source_key.get(),
        "start_offset": start_offset,
        "end_offset": end_offset,
        "content_sha256": content_sha256,
    });
    if let Some(extractor) = extractor {
        cited["extractor"] = extractor.into();
    }
    Some(cited)
}
