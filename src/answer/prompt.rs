//! `socle.prompt`: the messages for a language model elsewhere; and the templates that they are made from.
//!
//! Templates are rows that superusers write, and roles to which they grant the functions, as for models.

use super::context::{Context, ContextSize};
use super::options::{self, Places};
use crate::catalog::CorpusSpec;
use crate::pg::arguments::Arguments;
use crate::pg::backend;
use crate::pg::error::{report, spi};
use crate::pg::jsonb_key::Key;
use crate::pg::{plan_cache, value};
use crate::search::omission::Outcome;
use crate::search::trace::Trace;
use crate::search::{name_of_one, names_of_many, run, with_corpora};
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;
use socle_core::answer::prompt::{DEFAULT_NAME, Message, Template};
use socle_core::{Error, Kind, Result, hint};

const FIND: &str = include_str!("../../sql/answer/find_template.sql");
const NAMES: &str = include_str!("../../sql/answer/template_names.sql");
const INSERT: &str = include_str!("../../sql/answer/insert_template.sql");
const DELETE: &str = include_str!("../../sql/answer/delete_template.sql");

/// Where the options of the search stand among the arguments, and the conversation.
const PLACES: Places = Places::together(6);
const CONVERSATION: usize = 18;

#[pg_extern(sql = false)]
fn prompt(call: pg_sys::FunctionCallInfo) -> Result<Option<Key>, ErrorReport> {
    let arguments = Arguments::new(call);
    name_of_one(arguments).and_then(|names| messages(&names, arguments)).map_err(report)
}

#[pg_extern(sql = false)]
fn prompt_many(call: pg_sys::FunctionCallInfo) -> Result<Option<Key>, ErrorReport> {
    let arguments = Arguments::new(call);
    names_of_many(arguments).and_then(|names| messages(&names, arguments)).map_err(report)
}

/// The messages as JSON; `None` where no passage is found.
fn messages(names: &[String], arguments: Arguments) -> Result<Option<Key>> {
    let Some(request) = options::read(arguments, PLACES, CONVERSATION)? else { return Ok(None) };
    let size = ContextSize::read(arguments, 3)?;
    let template = template(arguments.short_text(2, "template")?)?;
    if names.is_empty() {
        return Ok(None);
    }
    let build = |corpora: &[CorpusSpec]| {
        let outcome = run(corpora, &request, &mut Trace::default())?;
        let context = Context::new(corpora, &outcome.passages, &size)?.text();
        Ok((context, Outcome { passages: Vec::new(), ..outcome }))
    };
    let (context, outcome) = with_corpora(names, build)?;
    outcome.report();
    let messages = context.map(|context| template.messages(&context, &request.query, request.language));
    let json = |message: Message| {
        format!("{{\"role\":{},\"content\":{}}}", value::string(message.role), value::string(&message.content))
    };
    let list = messages.map(|messages| messages.into_iter().map(json).collect::<Vec<_>>().join(","));
    Ok(list.map(|list| value::canonical(&format!("[{list}]"))))
}

/// The template of a name, or the built-in one.
///
/// # Errors
/// `UnknownModel`, with the names that there are.
pub fn template(name: Option<String>) -> Result<Template> {
    let Some(name) = name.filter(|name| name != DEFAULT_NAME) else { return Ok(Template::default()) };
    let found = plan_cache::rows(FIND, &[name.as_str().into()], 1, |row| {
        let example = [3, 4, 5].map(|column| row.get::<String>(column));
        let [context, question, answer] = example;
        Template {
            system: row.get(1).unwrap_or_default(),
            question: row.get(2).unwrap_or_default(),
            example: context.zip(question).zip(answer).map(|((context, question), answer)| [context, question, answer]),
        }
    })?;
    found.into_iter().next().map_or_else(|| Err(unknown(&name)?), Ok)
}

fn unknown(name: &str) -> Result<Error> {
    let names = plan_cache::rows(NAMES, &[], 0, |row| row.get::<String>(1).unwrap_or_default())?;
    let names: Vec<String> = [DEFAULT_NAME.to_string()].into_iter().chain(names).collect();
    let hint = hint::for_name(name, &names, "Templates are", "");
    Ok(Error::new(Kind::UnknownModel, format!("prompt template \"{name}\" does not exist"))
        .hint(format!("{hint} See socle.create_prompt_template().")))
}

#[pg_extern(sql = false)]
fn create_prompt_template(call: pg_sys::FunctionCallInfo) -> Result<(), ErrorReport> {
    create(Arguments::new(call)).map_err(report)
}

fn create(arguments: Arguments) -> Result<()> {
    backend::prevent_if_read_only(c"socle.create_prompt_template()");
    let required = |at: usize, name: &str| {
        let text = arguments.content(at, name)?.filter(|text| !text.trim().is_empty());
        text.ok_or_else(|| Error::new(Kind::InvalidArgument, format!("{name} must not be NULL or empty")))
    };
    let name = arguments.short_text(0, "name")?.filter(|name| !name.trim().is_empty());
    let name = name.ok_or_else(|| Error::new(Kind::InvalidArgument, "name must not be NULL or empty"))?;
    let mut example = Vec::new();
    for (at, argument) in [(3, "example_context"), (4, "example_question"), (5, "example_answer")] {
        example.extend(arguments.content(at, argument)?);
    }
    let example: Option<[String; 3]> = match example.len() {
        0 => None,
        3 => example.try_into().ok(),
        _ => {
            return Err(Error::new(Kind::InvalidArgument, "an example needs context, question and answer")
                .hint("Pass all three, or none."));
        }
    };
    let template = Template { system: required(1, "system")?, question: required(2, "question_template")?, example };
    template.check()?;
    if name == DEFAULT_NAME || !plan_cache::rows(FIND, &[name.as_str().into()], 1, |_| ())?.is_empty() {
        return Err(Error::new(Kind::AlreadyExists, format!("prompt template \"{name}\" exists already"))
            .hint("Drop it with socle.drop_prompt_template(), or choose another name."));
    }
    let [context, question, answer] = template.example.map_or([None, None, None], |example| example.map(Some));
    let values = [
        name.as_str().into(),
        template.system.as_str().into(),
        template.question.as_str().into(),
        context.into(),
        question.into(),
        answer.into(),
    ];
    Spi::connect_mut(|client| client.update(INSERT, None, &values).map(drop)).map_err(spi)
}

#[pg_extern(sql = false)]
fn drop_prompt_template(call: pg_sys::FunctionCallInfo) -> Result<(), ErrorReport> {
    let dropped = || -> Result<()> {
        backend::prevent_if_read_only(c"socle.drop_prompt_template()");
        let name = Arguments::new(call).short_text(0, "name")?.unwrap_or_default();
        if name == DEFAULT_NAME {
            return Err(Error::new(Kind::InvalidArgument, "the built-in prompt template cannot be dropped"));
        }
        let rows =
            Spi::connect_mut(|client| client.update(DELETE, None, &[name.as_str().into()]).map(|rows| rows.len()));
        if rows.map_err(spi)? == 0 { Err(unknown(&name)?) } else { Ok(()) }
    };
    dropped().map_err(report)
}
