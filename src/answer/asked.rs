//! What is asked of an answer besides the question: how many sentences, how relevant, and whether a generator writes it.

use super::options::Places;
use super::prompt;
use crate::language_model::{self, LanguageModel};
use crate::pg::arguments::Arguments;
use crate::pg::gucs;
use crate::search::request;
use socle_core::answer::prompt::Template;
use socle_core::{Error, Kind, Result};

/// Sentences of an extractive answer: by default, and at most.
const DEFAULT_SENTENCES: usize = 3;
const MAX_SENTENCES: i32 = 20;

/// Tokens of a generated answer: by default, and at most. The context of the generator limits them further.
const DEFAULT_TOKENS: usize = 256;
const MAX_TOKENS: i32 = 100_000;

/// Most tokens of passages that may be asked for.
const MAX_CONTEXT: i32 = 1_000_000;

/// Beyond this temperature a text is noise.
const MAX_TEMPERATURE: f64 = 2.0;

/// What is asked besides the question.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// Most sentences of an extractive answer.
    pub sentences: usize,
    /// Least relevance; `None` for the default.
    pub min_relevance: Option<f64>,
    /// Sentences are chosen even where the question is declined.
    pub always: bool,
    /// How the answer is generated; `None` for an extractive one.
    pub writer: Option<Writer>,
}

/// How an answer is generated.
#[derive(Clone, Debug)]
pub struct Writer {
    /// The generator, or the endpoint in its place.
    pub generator: LanguageModel,
    /// Most tokens of the answer.
    pub max_tokens: u32,
    /// See [`crate::generator_client::Options::temperature`].
    pub temperature: f32,
    /// Makes an answer with a temperature repeatable.
    pub seed: Option<u64>,
    /// Most tokens of the passages; `None` for as many as fit, up to a default.
    pub context_tokens: Option<usize>,
    /// Makes messages of passages and question.
    pub template: Template,
}

/// Where the arguments of a function that answers stand.
#[derive(Clone, Copy, Debug)]
pub struct AnswerPlaces {
    /// Whether there is a conversation among them.
    has_conversation: bool,
}

impl AnswerPlaces {
    /// Those of `socle.answer` and `socle.answer_stream`.
    pub const WITH_CONVERSATION: Self = Self { has_conversation: true };
    /// Those of `socle.evaluate_answers`.
    pub const WITHOUT: Self = Self { has_conversation: false };
    /// The conversation.
    pub const CONVERSATION: usize = 9;

    const fn after_conversation(self, at: usize) -> usize {
        Self::CONVERSATION + self.has_conversation as usize + at
    }

    /// The options of the search.
    pub const fn search(self) -> Places {
        Places { first: self.after_conversation(3), mode: "search_mode", language: 6 }
    }
}

impl Wanted {
    /// Reads what is asked.
    ///
    /// # Errors
    /// `InvalidArgument` for what is outside its range; `UnknownModel` for a generator or a template.
    pub fn read(arguments: Arguments, places: AnswerPlaces) -> Result<Self> {
        Ok(Self {
            sentences: max_sentences(arguments, places.after_conversation(2))?,
            min_relevance: min_relevance(arguments, places.after_conversation(0))?,
            always: false,
            writer: writer(arguments, places.after_conversation(1))?,
        })
    }
}

/// How an answer is generated, if it is; `seed` is the number of that argument.
fn writer(arguments: Arguments, seed: usize) -> Result<Option<Writer>> {
    let named = arguments.short_text(2, "generator")?;
    let mode = arguments.short_text(3, "mode")?;
    // What is wrong is refused in every mode.
    let max_tokens = request::number(arguments, 4, "max_tokens", 1..=MAX_TOKENS)?.unwrap_or(DEFAULT_TOKENS);
    let temperature = arguments.f64(5).unwrap_or_default();
    if !(0.0..=MAX_TEMPERATURE).contains(&temperature) {
        let message = format!("temperature must be between 0 and {MAX_TEMPERATURE}");
        return Err(Error::new(Kind::InvalidArgument, message));
    }
    let context_tokens = request::number(arguments, 7, "context_tokens", 1..=MAX_CONTEXT)?;
    let template = prompt::template(arguments.short_text(8, "template")?)?;
    let is_generated = match mode.as_deref().unwrap_or("auto") {
        "auto" => named.is_some() || gucs::default_generator().is_some(),
        "generated" => true,
        "extractive" => false,
        other => {
            return Err(Error::new(Kind::InvalidArgument, format!("mode \"{other}\" does not exist")).hint(
                "Modes of an answer are \"extractive\", \"generated\" and \"auto\". That of the search is search_mode.",
            ));
        }
    };
    if !is_generated {
        return Ok(None);
    }
    Ok(Some(Writer {
        generator: language_model::find(named)?,
        max_tokens: u32::try_from(max_tokens).unwrap_or(u32::MAX),
        temperature: temperature as f32,
        seed: arguments.i64(seed).map(i64::cast_unsigned),
        context_tokens,
        template,
    }))
}

/// Most sentences of an answer.
///
/// # Errors
/// `InvalidArgument` outside 1 to [`MAX_SENTENCES`].
pub fn max_sentences(arguments: Arguments, at: usize) -> Result<usize> {
    Ok(request::number(arguments, at, "max_sentences", 1..=MAX_SENTENCES)?.unwrap_or(DEFAULT_SENTENCES))
}

fn min_relevance(arguments: Arguments, at: usize) -> Result<Option<f64>> {
    match arguments.f64(at) {
        Some(least) if least.is_nan() => {
            Err(Error::new(Kind::InvalidArgument, "min_relevance must be a number, not NaN"))
        }
        least => Ok(least),
    }
}
