//! The rules about words of queries that the owner of a corpus has made, as far as a query may have their terms. Read as
//! superuser: they belong to the corpus, whose owner decides who searches it.

use crate::catalog::CorpusSpec;
use crate::pg::plan_cache;
use crate::pg::run_as::as_superuser;
use socle_core::Result;
use socle_core::protocol::{WordRule, WordRuleKind, word_rule_keys};

const RULES: &str = include_str!("../../sql/search/word_rules.sql");

/// The rules of a corpus for a query.
///
/// # Errors
/// Those of [`plan_cache::rows`]; `InvalidArgument` for a rule of another version.
pub fn word_rules(corpus: &CorpusSpec, query: &str) -> Result<Vec<WordRule>> {
    let arguments = [corpus.name.as_str().into(), word_rule_keys(query).into()];
    let rows = as_superuser(|| {
        plan_cache::rows(RULES, &arguments, 0, |row| {
            let texts = [1, 2, 3].map(|column| row.get::<String>(column).unwrap_or_default());
            (texts, row.get::<Vec<String>>(4).unwrap_or_default())
        })
    })?;
    rows.into_iter()
        .map(|([kind, language, term], replacements)| {
            let language = (language != "any").then_some(language);
            Ok(WordRule { kind: WordRuleKind::named(&kind)?, language, term, replacements })
        })
        .collect()
}
