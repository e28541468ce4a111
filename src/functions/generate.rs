//! `socle.generate` and `socle.count_generator_tokens`: text of a language model, for other uses than answers.
//!
//! What a model writes is data: it is returned as text, and nothing here reads it.

use crate::generator_client::{self, Generated, Options};
use crate::language_model::{self, LanguageModel};
use crate::ledger::{self, Event, EventKind};
use crate::pg::arguments::{Arguments, Texts};
use crate::pg::error::report;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;
use serde_json::Value;
use socle_core::generator::{Constraint, Finish, Message, MessageRole};
use socle_core::{Error, Kind, Result};

/// Tokens of a text by default.
const DEFAULT_TOKENS: u32 = 256;

/// Beyond this temperature a text is noise.
const MAX_TEMPERATURE: f64 = 2.0;

#[pg_extern(sql = false)]
fn generate(call: pg_sys::FunctionCallInfo) -> Result<Option<String>, ErrorReport> {
    let written = || -> Result<Option<String>> {
        let arguments = Arguments::new(call);
        let Some(prompt) = arguments.content(0, "prompt")? else { return Ok(None) };
        let system = arguments.content(8, "system")?;
        write(arguments, &conversation(system.as_deref(), &prompt)?).map(Some)
    };
    written().map_err(report)
}

#[pg_extern(sql = false)]
fn generate_messages(call: pg_sys::FunctionCallInfo) -> Result<Option<String>, ErrorReport> {
    let written = || -> Result<Option<String>> {
        let arguments = Arguments::new(call);
        let Some(list) = messages(arguments)? else { return Ok(None) };
        write(arguments, &borrowed(&list)).map(Some)
    };
    written().map_err(report)
}

#[pg_extern(sql = false)]
fn count_generator_tokens(call: pg_sys::FunctionCallInfo) -> Result<Option<i32>, ErrorReport> {
    let counted = || -> Result<Option<i32>> {
        let arguments = Arguments::new(call);
        let Some(prompt) = arguments.content(0, "prompt")? else { return Ok(None) };
        count(arguments, &conversation(None, &prompt)?).map(Some)
    };
    counted().map_err(report)
}

#[pg_extern(sql = false)]
fn count_generator_tokens_of_messages(call: pg_sys::FunctionCallInfo) -> Result<Option<i32>, ErrorReport> {
    let counted = || -> Result<Option<i32>> {
        let arguments = Arguments::new(call);
        let Some(list) = messages(arguments)? else { return Ok(None) };
        count(arguments, &borrowed(&list)).map(Some)
    };
    counted().map_err(report)
}

fn count(arguments: Arguments, messages: &[Message<'_>]) -> Result<i32> {
    match language_model::find(arguments.short_text(1, "generator")?)? {
        LanguageModel::Generator(generator) => {
            generator_client::count_tokens(&generator, messages).map(u32::cast_signed)
        }
        LanguageModel::Endpoint(endpoint) => {
            let message = format!("tokens of endpoint \"{}\" cannot be counted here", endpoint.name);
            Err(Error::new(Kind::NotSupported, message)
                .detail("Its tokenizer is not known, and nothing is sent to it for a count."))
        }
    }
}

/// The text for a conversation, with the options from argument number 1 on.
fn write(arguments: Arguments, messages: &[Message<'_>]) -> Result<String> {
    let max_tokens = match arguments.i32(2).map(u32::try_from) {
        None => DEFAULT_TOKENS,
        Some(Ok(number @ 1..)) => number,
        Some(_) => return Err(Error::new(Kind::InvalidArgument, "max_tokens must be at least 1")),
    };
    let temperature = arguments.f64(3).unwrap_or_default();
    if !(0.0..=MAX_TEMPERATURE).contains(&temperature) {
        let range = format!("temperature must be between 0 and {MAX_TEMPERATURE}");
        return Err(Error::new(Kind::InvalidArgument, range));
    }
    let stop = texts(arguments, 5, "stop")?.unwrap_or_default();
    let (choices, schema) = (texts(arguments, 6, "choices")?, arguments.limited_json(7, "json_schema")?);
    let constraint = match (choices, &schema) {
        (None, None) => Constraint::None,
        (Some(choices), None) if !choices.is_empty() => Constraint::Choices(choices),
        (Some(_), None) => return Err(Error::new(Kind::InvalidArgument, "choices must not be an empty array")),
        (None, Some(schema)) => Constraint::JsonSchema(schema),
        (Some(_), Some(_)) => {
            return Err(Error::new(Kind::InvalidArgument, "choices and json_schema exclude each other"));
        }
    };
    let is_free = constraint == Constraint::None;
    if !is_free && !stop.is_empty() {
        return Err(Error::new(Kind::InvalidArgument, "stop is not possible with choices or json_schema")
            .detail("The text would end before it is one of the choices, or JSON that the schema describes."));
    }
    let options = Options {
        max_tokens,
        temperature: temperature as f32,
        seed: arguments.i64(4).map(i64::cast_unsigned),
        stop,
        constraint,
    };
    // The prompt is the caller's own: no corpus has a say in it.
    let generator = language_model::find(arguments.short_text(1, "generator")?)?;
    let generated = generator.generate(&[], messages, &options)?;
    tell(&generator, messages, &generated);
    complete(generated, is_free)
}

/// Tells the ledger of a text.
fn tell(generator: &LanguageModel, messages: &[Message<'_>], generated: &Generated) {
    let prompt: Vec<&str> = messages.iter().map(|message| message.content).collect();
    let event = Event::new(EventKind::Generate)
        .with("generator", generator.name())
        .with("generator_digest", generator.digest())
        .with("prompt_tokens", generated.prompt_tokens)
        .with("answer_tokens", generated.answer_tokens)
        .with("finish", generated.finish.name())
        .with_text("question", Some(&prompt.join("\n")))
        .with_text("answer", Some(&generated.text));
    ledger::tell(&event);
}

/// The text, with a notice if it was cut off; what has to be one of several choices or JSON would not be that.
fn complete(generated: Generated, is_free: bool) -> Result<String> {
    let Generated { text, answer_tokens, finish, .. } = generated;
    if finish == Finish::Length && !is_free {
        return Err(Error::new(Kind::InputTooLong, format!("the text is not complete after {answer_tokens} tokens"))
            .hint("Raise max_tokens, or ask for less."));
    }
    if finish == Finish::Length {
        pgrx::notice!("the text was cut off after {answer_tokens} tokens: raise max_tokens for more");
    }
    Ok(text)
}

fn conversation<'a>(system: Option<&'a str>, prompt: &'a str) -> Result<Vec<Message<'a>>> {
    if prompt.trim().is_empty() {
        return Err(Error::new(Kind::InvalidArgument, "prompt must not be empty or only white space"));
    }
    let system = system.map(|content| Message { role: MessageRole::System, content });
    Ok(system.into_iter().chain([Message { role: MessageRole::User, content: prompt }]).collect())
}

/// The argument `messages`, as `socle.prompt` returns them.
fn messages(arguments: Arguments) -> Result<Option<Vec<(MessageRole, String)>>> {
    let Some(json) = arguments.limited_json(0, "messages")? else { return Ok(None) };
    let wrong = || {
        Error::new(
            Kind::InvalidArgument,
            "messages must be an array of objects with a role and a content, which are texts",
        )
        .detail(format!("A role is one of {}.", MessageRole::NAMES.join(", ")))
        .hint("Such an array is returned by socle.prompt().")
    };
    let message = |message: &Value| {
        let fields = message.as_object().filter(|fields| fields.len() == 2)?;
        let role = fields.get("role")?.as_str().and_then(MessageRole::parse)?;
        Some((role, fields.get("content")?.as_str()?.to_string()))
    };
    let list: Value = serde_json::from_str(&json).map_err(|_| wrong())?;
    let list = list.as_array().filter(|list| !list.is_empty()).ok_or_else(wrong)?;
    let list: Vec<_> = list.iter().map(message).collect::<Option<_>>().ok_or_else(wrong)?;
    if list.iter().all(|(_, content)| content.trim().is_empty()) {
        return Err(Error::new(Kind::InvalidArgument, "messages must not all be empty or only white space"));
    }
    Ok(Some(list))
}

fn borrowed(messages: &[(MessageRole, String)]) -> Vec<Message<'_>> {
    messages.iter().map(|(role, content)| Message { role: *role, content }).collect()
}

/// An array of texts, none of which is NULL or empty.
fn texts(arguments: Arguments, at: usize, name: &str) -> Result<Option<Vec<&'static str>>> {
    let Some(Texts { elements, .. }) = arguments.limited_texts(at, name)? else { return Ok(None) };
    let present = elements.into_iter().map(|element| element.filter(|text| !text.is_empty()));
    let present: Option<Vec<_>> = present.collect();
    let wrong = || Error::new(Kind::InvalidArgument, format!("{name} must not contain NULL or an empty text"));
    present.ok_or_else(wrong).map(Some)
}
