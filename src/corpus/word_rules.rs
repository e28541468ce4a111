//! `socle.create_synonyms`, `create_protected_words`, `create_stop_words` and `drop_word_rules`: rules about words of queries,
//! made by the owner of a corpus and read by `search`. They change no segment of the keyword index.

use super::lifecycle::own_corpus;
use crate::catalog::CorpusSpec;
use crate::pg::arguments::Arguments;
use crate::pg::backend;
use crate::pg::error::{report, spi as spi_error};
use crate::pg::run_as::as_superuser;
use crate::pg::spi;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;
use socle_core::protocol::{WordRuleKind, word_rule_key};
use socle_core::{Error, Kind, Result, language};

const INSERT: &str = include_str!("../../sql/corpus/insert_word_rule.sql");
const COUNT: &str = include_str!("../../sql/corpus/count_word_rules.sql");
const DROP: &str = include_str!("../../sql/corpus/drop_word_rules.sql");
const DROP_REPLACEMENTS: &str = include_str!("../../sql/corpus/drop_replacements.sql");

/// Most rules of a corpus.
const MAX_RULES: i64 = 10_000;

/// Most terms of one call.
const MAX_TERMS: usize = 1_000;

/// Most synonyms of a term in one language, or in all: each is searched for with every query that has the term.
const MAX_SYNONYMS: i64 = 100;

/// Longest term, in characters.
const MAX_TERM: usize = 200;

/// Stands for all languages in `socle.corpus_word_rule`.
const ANY_LANGUAGE: &str = "any";

#[pg_extern(sql = false)]
fn create_synonyms(call: pg_sys::FunctionCallInfo) -> Result<(), ErrorReport> {
    create_synonym_rules(call).map_err(report)
}

fn create_synonym_rules(call: pg_sys::FunctionCallInfo) -> Result<()> {
    let arguments = Arguments::new(call);
    let corpus = own_corpus(call, "corpus")?;
    let terms = terms(arguments, 1, "terms")?.unwrap_or_default();
    let language = language_of(arguments, 3)?;
    let rules: Vec<(&String, Vec<String>)> = match self::terms(arguments, 2, "replacements")? {
        Some(replacements) => terms.iter().map(|term| (term, replacements.clone())).collect(),
        None if terms.len() < 2 => {
            return Err(Error::new(Kind::InvalidArgument, "terms must be at least two words that mean the same")
                .hint("Pass replacements for a synonym in one direction."));
        }
        None => {
            let others = |term: &String| terms.iter().filter(|other| *other != term).cloned().collect();
            terms.iter().map(|term| (term, others(term))).collect()
        }
    };
    backend::prevent_if_read_only(c"socle.create_synonyms()");
    insert(&corpus, WordRuleKind::Synonym, language, &rules)
}

#[pg_extern(sql = false)]
fn create_protected_words(call: pg_sys::FunctionCallInfo) -> Result<(), ErrorReport> {
    create_words(call, WordRuleKind::Protected).map_err(report)
}

#[pg_extern(sql = false)]
fn create_stop_words(call: pg_sys::FunctionCallInfo) -> Result<(), ErrorReport> {
    create_words(call, WordRuleKind::StopWord).map_err(report)
}

fn create_words(call: pg_sys::FunctionCallInfo, kind: WordRuleKind) -> Result<()> {
    let arguments = Arguments::new(call);
    let corpus = own_corpus(call, "corpus")?;
    let words = terms(arguments, 1, "words")?.unwrap_or_default();
    backend::prevent_if_read_only(if kind == WordRuleKind::Protected {
        c"socle.create_protected_words()"
    } else {
        c"socle.create_stop_words()"
    });
    let rules: Vec<(&String, Vec<String>)> = words.iter().map(|word| (word, Vec::new())).collect();
    insert(&corpus, kind, language_of(arguments, 2)?, &rules)
}

#[pg_extern(sql = false)]
fn drop_word_rules(call: pg_sys::FunctionCallInfo) -> Result<i64, ErrorReport> {
    drop_rules(call).map_err(report)
}

fn drop_rules(call: pg_sys::FunctionCallInfo) -> Result<i64> {
    let arguments = Arguments::new(call);
    let corpus = own_corpus(call, "corpus")?;
    let words = terms(arguments, 1, "words")?;
    let kind = arguments.short_text(2, "kind")?;
    kind.as_deref().map(WordRuleKind::named).transpose()?;
    backend::prevent_if_read_only(c"socle.drop_word_rules()");
    let arguments = [corpus.name.as_str().into(), words.into(), kind.into()];
    let count = |sql: &str| {
        let count = Spi::connect_mut(|client| client.update(sql, Some(1), &arguments)?.first().get_one::<i64>())
            .map_err(spi_error)?;
        Ok(count.unwrap_or_default())
    };
    as_superuser(|| Ok(count(DROP)? + count(DROP_REPLACEMENTS)?))
}

/// Inserts rules, ordered by their keys so that two sessions do not wait for each other in a circle.
fn insert(corpus: &CorpusSpec, kind: WordRuleKind, language: &str, rules: &[(&String, Vec<String>)]) -> Result<()> {
    let name = WordRuleKind::ALL.iter().find(|(_, known)| *known == kind).map_or("", |(name, _)| name);
    let mut rules: Vec<(String, &(&String, Vec<String>))> =
        rules.iter().map(|rule| (word_rule_key(rule.0), rule)).collect();
    rules.sort();
    as_superuser(|| {
        for (key, (term, replacements)) in rules {
            let arguments = [
                corpus.name.as_str().into(),
                key.into(),
                name.into(),
                language.into(),
                term.as_str().into(),
                replacements.clone().into(),
            ];
            let count = Spi::get_one_with_args::<i64>(INSERT, &arguments).map_err(spi_error)?;
            if count.unwrap_or_default() > MAX_SYNONYMS {
                let message = format!("term \"{term}\" would have more than {MAX_SYNONYMS} synonyms");
                return Err(Error::new(Kind::InvalidArgument, message)
                    .detail("Each of them is searched for with every query that has the term.")
                    .hint("Drop those that are not needed with socle.drop_word_rules()."));
            }
        }
        if spi::query_count(COUNT, &corpus.name)? > MAX_RULES {
            let message = format!("corpus \"{}\" would have more than {MAX_RULES} rules about words", corpus.name);
            return Err(Error::new(Kind::InvalidArgument, message)
                .hint("Drop those that are not needed with socle.drop_word_rules()."));
        }
        Ok(())
    })
}

/// An array of terms without surrounding white space, each once; `None` for NULL.
fn terms(arguments: Arguments, at: usize, name: &str) -> Result<Option<Vec<String>>> {
    let Some(texts) = arguments.limited_texts(at, name)? else { return Ok(None) };
    let invalid = |what: String| Err(Error::new(Kind::InvalidArgument, what));
    let mut terms: Vec<String> = Vec::new();
    for text in texts.elements {
        let term = text.unwrap_or_default().trim();
        if word_rule_key(term).is_empty() {
            return invalid(format!("an element of {name} has no letter and no digit"));
        }
        if term.chars().count() > MAX_TERM {
            return invalid(format!("an element of {name} is longer than {MAX_TERM} characters"));
        }
        if !terms.iter().any(|known| known == term) {
            terms.push(term.to_string());
        }
    }
    match terms.len() {
        0 => invalid(format!("{name} must not be empty")),
        1..=MAX_TERMS => Ok(Some(terms)),
        _ => invalid(format!("{name} must have at most {MAX_TERMS} elements")),
    }
}

fn language_of(arguments: Arguments, at: usize) -> Result<&'static str> {
    let name = arguments.short_text(at, "language")?;
    Ok(name.map(|name| language::canonical(&name)).transpose()?.unwrap_or(ANY_LANGUAGE))
}
