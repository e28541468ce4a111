//! The vectors of the tokens of new chunks, for a corpus that stores them: computed for those texts that no chunk of the
//! corpus has them of, and no more of one slice than fit into memory.
//!
//! What is left out stays NULL, and a search has the model score those chunks: it ranks alike, and takes longer.

use super::Job;
use super::document::{Document, NewChunk, unknown};
use super::slice::{Failure, SliceState};
use crate::engine_client;
use crate::engine_client::batch;
use socle_core::model::ModelSpec;
use socle_core::protocol::{Request, Response};
use std::collections::{HashMap, HashSet};

/// Most bytes of token vectors that are held until a slice is written. Only a document of several megabytes has more: about
/// 20 kB for each chunk of the default size.
const MAX_BYTES: usize = 128 << 20;

/// Requests that are made before the room that is left is looked at again: some megabytes of answers.
const PART: usize = 16;

/// Token vectors, by chunk hash.
pub type TokenVectors = HashMap<[u8; 32], Vec<u8>>;

/// Computes the token vectors of every text that has none yet, once. None where the corpus stores none.
pub async fn compute(
    job: &Job,
    state: &SliceState,
    documents: &[Document],
    known: &HashSet<Vec<u8>>,
) -> Result<TokenVectors, Failure> {
    let mut vectors = TokenVectors::new();
    let Some(model) = &job.token_model else { return Ok(vectors) };
    let chunks = unknown(documents, known);
    let texts: Vec<String> = chunks.iter().map(|(_, chunk)| text(chunk)).collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let requests = batch::split(model, &texts);
    let mut culprit = None;
    let mut room = MAX_BYTES;
    // In parts, so that no more is asked for than there is room for.
    for part in requests.chunks(PART) {
        if room == 0 {
            break;
        }
        let request = |number: usize| Ok(Some(ask(model, &texts[part[number].clone()])));
        let mut answered = |number: usize, mut answers: Vec<Response>| {
            match answers.pop() {
                Some(Response::TokenVectors(found)) if found.len() == part[number].len() => {
                    room = room.saturating_sub(found.iter().map(Vec::len).sum());
                    vectors.extend(chunks[part[number].clone()].iter().map(|(_, chunk)| chunk.hash).zip(found));
                }
                Some(Response::Failed { error, item }) => {
                    let at = item.map(|item| part[number].start + item as usize);
                    culprit = at.and_then(|at| chunks.get(at)).map(|(document, _)| document.claim.job_id);
                    return Err(error);
                }
                _ => return Err(engine_client::unexpected()),
            }
            Ok(())
        };
        state.exchange(part.len(), &request, &mut answered).await.map_err(|error| match culprit {
            Some(job_id) => Failure::of(job_id, "embed", error),
            None => Failure::new("embed", error),
        })?;
    }
    Ok(vectors)
}

fn ask<'a>(model: &ModelSpec, documents: &[&'a str]) -> Request<'a> {
    Request::DocumentTokens { model: model.clone(), documents: documents.to_vec() }
}

/// The text of a chunk that is compared: with the default template, what a search would have the model score.
fn text(new: &NewChunk) -> String {
    let context = [&new.context.title, &new.context.headings, &new.context.rest];
    let lines = context.into_iter().map(|part| part.trim_end()).filter(|part| !part.is_empty());
    let mut text: String = lines.flat_map(|part| [part, "\n"]).collect();
    text.push_str(&new.chunk.content);
    text
}
