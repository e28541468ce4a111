//! Which files of a directory are wanted: the pattern of `socle.import_directory`, as a shell with globstar has it.

use glob::{MatchOptions, Pattern};
use socle_core::{Error, Kind, Result};

/// `*` and `?` stop at a slash, `**` does not, and a name that begins with a dot is matched by a dot alone.
const OPTIONS: MatchOptions =
    MatchOptions { case_sensitive: true, require_literal_separator: true, require_literal_leading_dot: true };

/// A pattern over paths below a directory.
#[derive(Debug)]
pub struct FilePattern {
    pattern: Pattern,
    names_hidden: bool,
}

impl FilePattern {
    /// Reads a pattern.
    ///
    /// # Errors
    /// `InvalidArgument`.
    pub fn parse(text: &str) -> Result<Self> {
        let malformed = |error: glob::PatternError| {
            Error::new(Kind::InvalidArgument, format!("pattern \"{text}\" is malformed")).detail(error.to_string())
        };
        let names_hidden = text.split('/').any(|part| part.starts_with('.'));
        Ok(Self { pattern: Pattern::new(text).map_err(malformed)?, names_hidden })
    }

    /// Whether a path is wanted.
    pub fn matches(&self, path: &str) -> bool {
        self.pattern.matches_with(path, OPTIONS)
    }

    /// Whether wanted files may lie in a directory of that name: those with a dot are left alone unless the pattern has one.
    pub fn may_lie_in(&self, directory: &str) -> bool {
        self.names_hidden || !directory.starts_with('.')
    }
}
