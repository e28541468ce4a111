//! What an answer has to look like, as a pattern of bytes that is made here from checked input: grammars of others are never
//! passed to llama.cpp.
//!
//! `schema` reads a JSON Schema, `pattern` is what it becomes. A token is permitted while its bytes are the beginning of
//! something that the pattern matches.

pub mod pattern;
pub mod schema;

use pattern::{Automaton, Pattern};
use socle_core::generator::Constraint;
use socle_core::{Error, Kind, Result};
use std::collections::BTreeSet;

/// Most choices.
const MAX_CHOICES: usize = 256;

/// Most bytes of all choices together.
const MAX_CHOICE_BYTES: usize = 16 << 10;

/// The automaton of a constraint; `None` where any text is permitted.
///
/// # Errors
/// `InvalidArgument` when the choices or the schema are not what can be enforced.
pub fn compile(constraint: &Constraint<'_>) -> Result<Option<Automaton>> {
    let pattern = match constraint {
        Constraint::None => return Ok(None),
        Constraint::Choices(choices) => choices_pattern(choices)?,
        Constraint::JsonSchema(schema) => schema::pattern(schema)?,
    };
    Automaton::new(&pattern).map(Some)
}

fn choices_pattern(choices: &[&str]) -> Result<Pattern> {
    let invalid = |message: &str| Error::new(Kind::InvalidArgument, message);
    if choices.is_empty() {
        return Err(invalid("there are no choices"));
    }
    if choices.iter().any(|choice| choice.is_empty()) {
        return Err(invalid("a choice is an empty text"));
    }
    let bytes: usize = choices.iter().map(|choice| choice.len()).sum();
    if choices.len() > MAX_CHOICES || bytes > MAX_CHOICE_BYTES {
        return Err(invalid("there are too many choices").detail(format!(
            "There are {} choices of {bytes} bytes, the limits are {MAX_CHOICES} choices and {MAX_CHOICE_BYTES} bytes.",
            choices.len()
        )));
    }
    let distinct: BTreeSet<&str> = choices.iter().copied().collect();
    Ok(Pattern::OneOf(distinct.into_iter().map(Pattern::text).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_choice_and_nothing_else() {
        let automaton = compile(&Constraint::Choices(vec!["yes", "no", "not sure", "yes"])).unwrap().unwrap();
        for choice in ["yes", "no", "not sure"] {
            assert!(automaton.matches(choice.as_bytes()), "{choice}");
        }
        for other in ["", "y", "maybe", "yes!", "not"] {
            assert!(!automaton.matches(other.as_bytes()), "{other}");
        }
    }

    #[test]
    fn choices_that_cannot_be_chosen_are_refused() {
        for choices in [vec![], vec![""], vec!["a", ""], vec!["x"; 257]] {
            let error = compile(&Constraint::Choices(choices)).unwrap_err();
            assert_eq!(error.kind, Kind::InvalidArgument);
        }
        assert!(compile(&Constraint::None).unwrap().is_none());
    }
}
