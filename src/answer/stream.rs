//! `socle.answer_stream`: the sentences of an answer, one by one, as they are done. Each is checked before it is returned,
//! because a sentence that a client has read cannot be withdrawn.
//!
//! In the target list of a query, rows are made one at a time, and sent before the next one is waited for. Between two rows
//! nothing is held but what a search holds, and the connection to the generator; to drop that ends the generation.

use super::answered::{Answer, GenerationColumns, UNSUPPORTED, asked, parts, removed};
use super::asked::Wanted;
use super::judged::{CitedSentence, Judged};
use super::recorded::{self, Asked};
use super::writing::Writing;
use crate::pg::arguments::Arguments;
use crate::pg::client;
use crate::pg::error::report;
use crate::pg::jsonb_key::Key;
use crate::pg::plan_cache;
use crate::pg::value;
use crate::search::request::SearchRequest;
use crate::search::{name_of_one, names_of_many, with_corpora, with_corpora_again};
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;
use socle_core::Result;
use socle_core::answer::citation::{compose, readable};
use std::collections::VecDeque;

type Row = (
    Option<i32>,
    Option<String>,
    Option<Key>,
    Option<bool>,
    Option<String>,
    Option<f64>,
    Option<f64>,
    Option<f64>,
    Option<Key>,
    Option<Vec<String>>,
    Option<String>,
    Option<String>,
    Option<i32>,
    Option<i32>,
    Option<String>,
);

type Rows = TableIterator<
    'static,
    (
        name!(number, Option<i32>),
        name!(sentence, Option<String>),
        name!(citation, Option<Key>),
        name!(declined, Option<bool>),
        name!(reason, Option<String>),
        name!(grounded, Option<f64>),
        name!(relevance, Option<f64>),
        name!(coverage, Option<f64>),
        name!(removed, Option<Key>),
        name!(unmatched_words, Option<Vec<String>>),
        name!(generator, Option<String>),
        name!(model_digest, Option<String>),
        name!(prompt_tokens, Option<i32>),
        name!(answer_tokens, Option<i32>),
        name!(finish, Option<String>),
    ),
>;

/// An answer whose rows are returned.
struct Stream {
    names: Vec<String>,
    request: SearchRequest,
    wanted: Wanted,
    judged: Judged,
    answer: Answer,
    /// What the ledger is told in the end, besides.
    asked: Asked,
    /// The sentences so far.
    sentences: Vec<String>,
    /// `None` once there is nothing to wait for.
    writing: Option<Writing>,
    count: i32,
    ready: VecDeque<Row>,
}

#[pg_extern(sql = false)]
fn answer_stream(call: pg_sys::FunctionCallInfo) -> Result<Rows, ErrorReport> {
    let arguments = Arguments::new(call);
    name_of_one(arguments).and_then(|names| begun(names, arguments)).map(rows).map_err(report)
}

#[pg_extern(sql = false)]
fn answer_stream_many(call: pg_sys::FunctionCallInfo) -> Result<Rows, ErrorReport> {
    let arguments = Arguments::new(call);
    names_of_many(arguments).and_then(|names| begun(names, arguments)).map(rows).map_err(report)
}

fn rows(stream: Option<Stream>) -> Rows {
    TableIterator::new(stream.into_iter().flatten())
}

fn begun(names: Vec<String>, arguments: Arguments) -> Result<Option<Stream>> {
    let Some((request, wanted)) = asked(&names, arguments)? else { return Ok(None) };
    let (judged, outcome, writing, asked) = with_corpora(&names, |corpora| {
        let (judged, outcome) = Judged::new(corpora, &request, &wanted)?;
        let writer = wanted.writer.as_ref().filter(|_| judged.refusal.is_none());
        let writing = writer.map(|writer| Writing::begin(corpora, &request, &judged, writer)).transpose()?;
        Ok((judged, outcome, writing, Asked::of(corpora)))
    })?;
    outcome.report();
    let answer = Answer::of(&judged);
    let (sentences, ready) = (Vec::new(), VecDeque::new());
    let mut stream = Stream { names, request, wanted, judged, answer, asked, sentences, writing, count: 0, ready };
    if stream.writing.is_none() {
        stream.extract()?;
    }
    Ok(Some(stream))
}

impl Iterator for Stream {
    type Item = Row;

    fn next(&mut self) -> Option<Row> {
        while self.ready.is_empty() && self.writing.is_some() {
            // What the client has not got yet, it reads while this waits.
            client::send_rows();
            if let Err(error) = plan_cache::in_own_memory_context(|| self.go_on()) {
                // The connection ends before the error is raised.
                self.writing = None;
                report(error).report(PgLogLevel::ERROR);
            }
        }
        self.ready.pop_front()
    }
}

impl Stream {
    /// Waits for a sentence of the generator, and makes a row of it if a passage supports it.
    fn go_on(&mut self) -> Result<()> {
        let Some(mut writing) = self.writing.take() else { return Ok(()) };
        if let Some(claim) = writing.next_claim()? {
            let kept = with_corpora_again(&self.names, |corpora| writing.check(corpora, &claim))?;
            if let Some(sentence) = kept {
                self.push(sentence);
            }
            self.writing = Some(writing);
            return Ok(());
        }
        if let Some(writer) = &self.wanted.writer {
            self.answer.finish(&mut writing, &writer.generator)?;
        }
        if self.answer.generation.as_ref().is_some_and(|generation| generation.finish == UNSUPPORTED) {
            return self.extract();
        }
        self.end();
        Ok(())
    }

    /// The rows of an extractive answer, or of none.
    fn extract(&mut self) -> Result<()> {
        if self.judged.refusal.is_none() {
            let sentences = with_corpora_again(&self.names, |corpora| {
                self.judged.sentences(corpora, &self.request, self.wanted.sentences)
            })?;
            if sentences.is_empty() {
                self.answer.refusal = Some("no passage has a sentence".to_string());
            }
            self.answer.grounded = self.answer.grounded.or((!sentences.is_empty()).then_some(1.0));
            sentences.into_iter().for_each(|sentence| self.push(sentence));
        }
        self.end();
        Ok(())
    }

    fn push(&mut self, sentence: CitedSentence) {
        self.count += 1;
        self.answer.citations.push(sentence.citation.clone());
        self.sentences.push(sentence.text.clone());
        let citation = value::canonical(&sentence.citation);
        let (number, text) = (Some(self.count), Some(readable(&sentence.text)));
        let none = (None, None, None, None, None);
        self.ready.push_back(row((number, text, Some(citation)), None, none));
    }

    /// The last row.
    fn end(&mut self) {
        let mut answer = std::mem::take(&mut self.answer);
        let numbered = self.sentences.iter().zip(1..).map(|(sentence, number)| (number, sentence.as_str()));
        answer.text = (!self.sentences.is_empty()).then(|| compose(numbered));
        recorded::tell(&self.asked, &self.request, &answer);
        let generation = answer.generation.clone();
        self.ready.push_back(row((None, None, None), Some(answer), parts(generation)));
    }
}

fn row(
    (number, sentence, citation): (Option<i32>, Option<String>, Option<Key>),
    answer: Option<Answer>,
    (generator, digest, prompt_tokens, answer_tokens, finish): GenerationColumns,
) -> Row {
    let reason = answer.as_ref().and_then(Answer::reason);
    let answer = answer.as_ref();
    (
        number,
        sentence,
        citation,
        answer.map(|answer| answer.refusal.is_some()),
        reason,
        answer.and_then(|answer| answer.grounded),
        answer.map(|answer| answer.relevance),
        answer.map(|answer| answer.coverage),
        answer.map(|answer| removed(&answer.removed)),
        answer.map(|answer| answer.unmatched.clone()),
        generator,
        digest,
        prompt_tokens,
        answer_tokens,
        finish,
    )
}
