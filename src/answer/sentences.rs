//! The sentences of passages with what speaks for each: its words, the cross-encoder, the cosine with the question.

use super::context::{NumberedPassage, heading};
use super::words::QuestionWords;
use crate::catalog::{CorpusSpec, model_of};
use crate::engine_client::{self, batch};
use crate::search::prefetch::{embed, similarity};
use crate::search::request::SearchRequest;
use socle_core::Result;
use socle_core::answer::choose::{Candidate, coverage};
use socle_core::answer::sentence::{self_contained, sentences};
use socle_core::chunk::Format;
use socle_core::model::ModelSpec;
use socle_core::protocol::{Request, Response, Role};
use std::ops::Range;

/// Passages whose sentences are compared, the best ones, and most sentences.
const PASSAGES: usize = 10;
const MAX_SENTENCES: usize = 80;

/// Shortest sentence that can be an answer, in bytes.
const MIN_BYTES: usize = 15;

/// A sentence of a passage.
pub struct Sentence {
    /// Position of its passage, from 0.
    pub passage: usize,
    /// Its bytes in the passage.
    pub range: Range<usize>,
    overlap: f64,
    reranked: Option<f64>,
    similarity: Option<f64>,
}

impl Sentence {
    /// Its text.
    pub fn text<'a>(&self, passages: &'a [NumberedPassage]) -> &'a str {
        passages[self.passage].passage.content.get(self.range.clone()).unwrap_or_default()
    }

    /// What speaks for it.
    pub fn candidate<'a>(&self, passages: &'a [NumberedPassage]) -> Candidate<'a> {
        Candidate {
            text: self.text(passages),
            rank: self.passage,
            range: self.range.clone(),
            overlap: self.overlap,
            reranked: self.reranked,
            passage_reranked: passages[self.passage].best.ranked.rerank,
            similarity: self.similarity,
        }
    }
}

/// The sentences of the best passages, compared with the question.
///
/// # Errors
/// Those of the engine and the models.
pub fn compared(
    corpora: &[CorpusSpec],
    request: &SearchRequest,
    passages: &[NumberedPassage],
    words: &QuestionWords,
) -> Result<Vec<Sentence>> {
    let mut found = cut(corpora, passages, words);
    if found.len() > MAX_SENTENCES {
        // Of many the best passages, and of the others what has words of the question.
        found.sort_by(|a, b| b.overlap.total_cmp(&a.overlap).then(a.passage.cmp(&b.passage)));
        found.truncate(MAX_SENTENCES);
        found.sort_by_key(|sentence| (sentence.passage, sentence.range.start));
    }
    let texts: Vec<String> = found
        .iter()
        .map(|sentence| format!("{}{}", heading(&passages[sentence.passage].best), sentence.text(passages)))
        .collect();
    if let Some(model) = &request.reranker {
        let scores = reranked(corpora, model, &request.query, &texts)?;
        for (sentence, score) in found.iter_mut().zip(scores) {
            sentence.reranked = Some(f64::from(score));
        }
    }
    if request.mode.has_vectors() {
        match similarities(corpora, request, passages, &found, &texts) {
            Ok(similarities) => {
                for (sentence, similarity) in found.iter_mut().zip(similarities) {
                    sentence.similarity = Some(similarity);
                }
            }
            // The search has said that its model cannot be used.
            Err(_) if request.vector_optional => {}
            Err(error) => return Err(error),
        }
    }
    Ok(found)
}

/// The sentences that are no headings, with the share of the question that each has.
fn cut(corpora: &[CorpusSpec], passages: &[NumberedPassage], words: &QuestionWords) -> Vec<Sentence> {
    let mut found = Vec::new();
    for (number, NumberedPassage { best, passage, .. }) in passages.iter().enumerate().take(PASSAGES) {
        let lines_are_blocks = has_lines_as_blocks(corpora, &best.corpus);
        let complete = self_contained(&passage.content, sentences(&passage.content, lines_are_blocks));
        for sentence in complete.into_iter().filter(|sentence| !sentence.is_heading) {
            for range in passage.within_pieces(&sentence.range) {
                let text = &passage.content[range.clone()];
                let is_heading = best.heading_path.iter().chain(&best.title).any(|heading| heading == text);
                if !is_heading && text.len() >= MIN_BYTES {
                    let overlap = coverage(&words.words, &words.in_range(number, &range));
                    found.push(Sentence { passage: number, range, overlap, reranked: None, similarity: None });
                }
            }
        }
    }
    found
}

/// Whether each line of the passages of a corpus is a block, as in the visible text of HTML.
pub fn has_lines_as_blocks(corpora: &[CorpusSpec], name: &str) -> bool {
    let corpus = corpora.iter().find(|corpus| corpus.name == name);
    corpus.is_some_and(|corpus| !corpus.has_files() && corpus.options.format == Format::Html.name())
}

/// The score of each text of these corpora by a cross-encoder.
///
/// # Errors
/// Those of the engine.
pub fn reranked(corpora: &[CorpusSpec], model: &ModelSpec, question: &str, texts: &[String]) -> Result<Vec<f32>> {
    let documents: Vec<&str> = texts.iter().map(String::as_str).collect();
    let model = model.clone().of_corpora(corpora.iter().map(CorpusSpec::policy));
    let requests = batch::split(&model, &documents);
    let mut all = vec![0.0; texts.len()];
    let engine_request = |number: usize| Request::Rerank {
        model: model.clone(),
        truncate: true,
        query: question,
        documents: documents[requests[number].clone()].to_vec(),
    };
    engine_client::exchange(requests.len(), &engine_request, &mut |number, mut answers| match answers.pop() {
        Some(Response::Scores(scores)) if scores.len() == requests[number].len() => {
            all[requests[number].clone()].copy_from_slice(&scores);
            Ok(())
        }
        Some(Response::Failed { error, .. }) => Err(error),
        _ => Err(engine_client::unexpected()),
    })?;
    Ok(all)
}

/// The cosine of each text with the question, by the model of its corpus.
fn similarities(
    corpora: &[CorpusSpec],
    request: &SearchRequest,
    passages: &[NumberedPassage],
    found: &[Sentence],
    texts: &[String],
) -> Result<Vec<f64>> {
    let mut all = vec![f64::NAN; texts.len()];
    for corpus in corpora {
        let own = (0..texts.len()).filter(|at| passages[found[*at].passage].best.corpus == corpus.name);
        let own: Vec<usize> = own.collect();
        if own.is_empty() {
            continue;
        }
        // The question is put to all of them.
        let model = model_of(corpus)?.of_corpora(corpora.iter().map(CorpusSpec::policy));
        let question = embed(&model, &request.query)?;
        let contents: Vec<&str> = own.iter().map(|at| texts[*at].as_str()).collect();
        let requests = batch::split(&model, &contents);
        let engine_request = |number: usize| Request::Embed {
            model: model.clone(),
            role: Role::Passage,
            truncate: true,
            heads: Vec::new(),
            contents: contents[requests[number].clone()].to_vec(),
        };
        let width = model.dimensions as usize;
        engine_client::exchange(requests.len(), &engine_request, &mut |number, mut answers| match answers.pop() {
            Some(Response::Vectors(vectors)) if vectors.len() == requests[number].len() * width => {
                for (at, vector) in requests[number].clone().zip(vectors.chunks_exact(width)) {
                    all[own[at]] = similarity(&question, vector);
                }
                Ok(())
            }
            Some(Response::Failed { error, .. }) => Err(error),
            _ => Err(engine_client::unexpected()),
        })?;
    }
    Ok(all)
}
