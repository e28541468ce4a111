//! An answer that a generator is writing: the prompt from the passages that fit, and the sentences one by one, each checked
//! before anything is done with it.

use super::asked::Writer;
use super::attribution::Attribution;
use super::context::{Context, ContextSize};
use super::judged::{CitedSentence, Judged};
use super::token_counter::TokenCounter;
use crate::catalog::CorpusSpec;
use crate::generator_client::{Generated, Options};
use crate::language_model::{Generation, LanguageModel};
use crate::search::request::SearchRequest;
use socle_core::answer::attribution::{Claim, complete};
use socle_core::answer::choose::is_finished;
use socle_core::answer::conversation::{self, Turn};
use socle_core::answer::{printable, prompt};
use socle_core::endpoint::CorpusPolicy;
use socle_core::generator::{Constraint, Finish, Message, MessageRole};
use socle_core::{Error, Kind, Result};
use std::collections::VecDeque;

/// Tokens of the passages by default, and fewest that are worth a question.
const DEFAULT_CONTEXT: usize = 2_000;
const MIN_CONTEXT: usize = 40;

/// Attempts to make the prompt fit: the tokens of its parts are more or less those of the whole.
const ATTEMPTS: usize = 4;

/// Tokens of a question that a generator writes.
const QUESTION_TOKENS: u32 = 80;

/// An answer under way.
pub struct Writing {
    generation: Generation,
    attribution: Attribution,
    text: String,
    /// Bytes of the text that were cut into sentences.
    cut: usize,
    claims: VecDeque<Claim>,
    is_written: bool,
}

impl Writing {
    /// Has the generator begin.
    ///
    /// # Errors
    /// `InvalidArgument` where the prompt does not fit; those of the generator.
    pub fn begin(corpora: &[CorpusSpec], request: &SearchRequest, judged: &Judged, writer: &Writer) -> Result<Self> {
        let (context, messages) = prompt_that_fits(corpora, request, judged, writer)?;
        let options = Options {
            max_tokens: writer.max_tokens,
            temperature: writer.temperature,
            seed: writer.seed,
            // A small model goes on with the mark of the passages.
            stop: vec!["</passages", "<passages"],
            constraint: Constraint::None,
        };
        let policies: Vec<CorpusPolicy> = corpora.iter().map(CorpusSpec::policy).collect();
        let generation = Generation::start(&writer.generator, &policies, &borrowed(&messages), &options)?;
        let attribution = Attribution::new(corpora, request, context);
        Ok(Self { generation, attribution, text: String::new(), cut: 0, claims: VecDeque::new(), is_written: false })
    }

    /// The next sentence, waited for; `None` once all were returned.
    ///
    /// # Errors
    /// Those of the generator.
    pub fn next_claim(&mut self) -> Result<Option<Claim>> {
        loop {
            if let Some(claim) = self.claims.pop_front() {
                return Ok(Some(claim));
            }
            if self.is_written {
                return Ok(None);
            }
            match self.generation.next_text()? {
                Some(piece) => self.text.push_str(&printable(&piece)),
                None => self.is_written = true,
            }
            let rest = &self.text[self.cut..];
            let end = if self.is_written { rest.len() } else { complete(rest) };
            let mut claims = self.attribution.claims(&rest[..end]);
            if self.is_written
                && self.generation.generated(String::new())?.finish == Finish::Length
                && !is_finished(rest.trim())
            {
                claims.last_mut().into_iter().for_each(|claim| claim.is_cut = true);
            }
            self.claims.extend(claims);
            self.cut += end;
        }
    }

    /// A sentence with its citation; `None` if no passage supports it.
    ///
    /// # Errors
    /// Those of the engine and the models.
    pub fn check(&mut self, corpora: &[CorpusSpec], claim: &Claim) -> Result<Option<CitedSentence>> {
        self.attribution.check(corpora, claim)
    }

    /// What has become of all sentences, once there are no more.
    ///
    /// # Errors
    /// `Bug` before that.
    pub fn end(&mut self) -> Result<(Generated, &Attribution)> {
        let generated = self.generation.generated(std::mem::take(&mut self.text))?;
        Ok((generated, &self.attribution))
    }
}

/// The messages with the best passages that fit, and these.
fn prompt_that_fits(
    corpora: &[CorpusSpec],
    request: &SearchRequest,
    judged: &Judged,
    writer: &Writer,
) -> Result<(Context, Vec<prompt::Message>)> {
    let Writer { generator, max_tokens, context_tokens, template, .. } = writer;
    let messages = |context: &str| template.messages(context, &request.query, request.language);
    let count =
        |messages: &[prompt::Message]| -> Result<usize> { Ok(generator.count_tokens(&borrowed(messages))? as usize) };
    let besides = count(&messages(""))? + *max_tokens as usize;
    let room = (generator.context_tokens() as usize).saturating_sub(besides);
    let wanted = context_tokens.unwrap_or(DEFAULT_CONTEXT.min(room));
    if room < MIN_CONTEXT || wanted > room {
        return Err(too_large(generator, besides, context_tokens.unwrap_or(MIN_CONTEXT)));
    }
    let mut size = ContextSize {
        max_tokens: wanted,
        argument: "context_tokens",
        in_document_order: false,
        token_counter: Some(TokenCounter::of_language_model(generator)?),
    };
    for _ in 0..ATTEMPTS {
        let context = Context::new(corpora, &judged.hits, &size)?;
        let messages = messages(&context.text().unwrap_or_default());
        let tokens = count(&messages)? + *max_tokens as usize;
        match tokens.checked_sub(generator.context_tokens() as usize) {
            None | Some(0) => return Ok((context, messages)),
            Some(excess) => size.max_tokens = size.max_tokens.saturating_sub(excess).max(1),
        }
    }
    Err(too_large(generator, besides, size.max_tokens))
}

fn too_large(generator: &LanguageModel, besides: usize, wanted: usize) -> Error {
    Error::new(Kind::InvalidArgument, "the prompt does not fit the context of the generator")
        .detail(format!(
            "Instructions, question and answer have {besides} tokens, passages {wanted}, and generator \"{}\" has {} for all.",
            generator.name(), generator.context_tokens()
        ))
        .hint("Ask a shorter question, lower max_tokens or context_tokens, or use a shorter template.")
}

fn borrowed(messages: &[prompt::Message]) -> Vec<Message<'_>> {
    let role = |message: &prompt::Message| MessageRole::parse(message.role).unwrap_or(MessageRole::User);
    messages.iter().map(|message| Message { role: role(message), content: &message.content }).collect()
}

/// The question as it can be understood without the conversation before it: written by the generator, if that is of use.
///
/// # Errors
/// Those of the generator.
pub fn understandable(
    question: String,
    turns: &[Turn],
    corpora: &[CorpusPolicy],
    writer: Option<&Writer>,
) -> Result<String> {
    let Some(by_rule) = conversation::by_rule(&question, turns) else { return Ok(question) };
    let Some(writer) = writer else { return Ok(by_rule) };
    let messages = conversation::rewriting(&question, turns);
    let messages: Vec<Message<'_>> = messages.iter().map(|(role, content)| Message { role: *role, content }).collect();
    let fits = writer.generator.count_tokens(&messages)? + QUESTION_TOKENS;
    if fits > writer.generator.context_tokens() {
        return Ok(by_rule);
    }
    let options = Options {
        max_tokens: QUESTION_TOKENS,
        temperature: 0.0,
        seed: None,
        stop: vec!["\n"],
        constraint: Constraint::None,
    };
    let written = writer.generator.generate(corpora, &messages, &options)?.text;
    Ok(conversation::checked(&written, &question, turns).unwrap_or(by_rule))
}
