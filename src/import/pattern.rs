//! Selects files of a directory: the pattern of `socle.import_directory`, as in a shell with globstar.

use glob::{MatchOptions, Pattern};
use socle_core::{Error, Kind, Result};

/// `*` and `?` do not match a slash, `**` does, and a leading dot is matched by a dot only.
const OPTIONS: MatchOptions =
    MatchOptions { case_sensitive: true, require_literal_separator: true, require_literal_leading_dot: true };

/// A pattern over paths below a directory.
#[derive(Debug)]
pub struct FilePattern {
    pattern: Pattern,
    names_hidden: bool,
}

impl FilePattern {
    /// Parses a pattern.
    ///
    /// # Errors
    /// `InvalidArgument` for a malformed pattern.
    pub fn parse(text: &str) -> Result<Self> {
        let malformed = |error: glob::PatternError| {
            Error::new(Kind::InvalidArgument, format!("pattern \"{text}\" is malformed")).detail(error.to_string())
        };
        let names_hidden = text.split('/').any(|part| part.starts_with('.'));
        Ok(Self { pattern: Pattern::new(text).map_err(malformed)?, names_hidden })
    }

    /// Whether a path matches.
    pub fn matches(&self, path: &str) -> bool {
        self.pattern.matches_with(path, OPTIONS)
    }

    /// Whether matching files may be in a directory of that name: hidden ones are skipped unless the pattern names one.
    pub fn may_lie_in(&self, directory: &str) -> bool {
        self.names_hidden || !directory.starts_with('.')
    }
}
