//! Parses query text into words, phrases, prefixes and exclusions. Every text is a valid query.
//!
//! `"exact phrase"` and `-excluded` are operators at the beginning of a word only, `prefix*` at its end. Everything else,
//! `AND`, `OR` and parentheses included, is text. One pass, without recursion.

use super::words::{for_each_word, normalize};
use socle_core::protocol::{MAX_OPERATORS, MAX_PHRASE_WORDS, MAX_QUERY_WORDS, QueryTruncation};
use std::collections::HashMap;

/// Shortest prefix, in characters. The asterisk after a shorter one is ignored.
const MIN_PREFIX: usize = 2;

/// A parsed query.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct ParsedQuery {
    /// Distinct words, in order of first occurrence.
    pub words: Vec<QueryWord>,
    /// Required phrases, each a list of normalized words.
    pub phrases: Vec<Vec<String>>,
    /// Prefixes of words.
    pub prefixes: Vec<String>,
    /// Excluded words and phrases, each a list of normalized words.
    pub excluded: Vec<Vec<String>>,
    /// Number of words and operators that were left out because the query exceeds a limit.
    pub left_out: QueryTruncation,
}

/// A word of a query.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct QueryWord {
    /// See [`super::words::Word::text`].
    pub text: String,
    /// See [`super::words::Word::is_identifier`].
    pub is_identifier: bool,
    /// Number of its occurrences in the query.
    pub count: u32,
}

/// Parses a query.
pub fn parse(query: &str) -> ParsedQuery {
    let mut parsed = ParsedQuery::default();
    let mut known = HashMap::new();
    let mut rest = query;
    // False once a quote has no closing one: the rest is not searched again for each further quote.
    let mut closed = true;
    let mut begins = true;
    while let Some(first) = rest.chars().next() {
        if first.is_whitespace() {
            rest = &rest[first.len_utf8()..];
            begins = true;
            continue;
        }
        let excluded = begins
            && rest
                .strip_prefix('-')
                .is_some_and(|next| next.starts_with(|sign: char| sign.is_alphabetic() || sign == '"'));
        let text = if excluded { &rest[1..] } else { rest };
        let inside = text.strip_prefix('"').filter(|_| closed);
        if let Some((phrase, after)) = inside.and_then(|inside| inside.split_once('"')) {
            let list = if excluded { &mut parsed.excluded } else { &mut parsed.phrases };
            add_phrase(list, phrase, &mut parsed.left_out);
            rest = after;
            begins = false;
            continue;
        }
        closed &= inside.is_none();
        let end = text.char_indices().skip(1).find(|(_, sign)| sign.is_whitespace() || (closed && *sign == '"'));
        let end = end.map_or(text.len(), |(at, _)| at);
        let run = &text[..end];
        rest = &text[end..];
        begins = false;
        if excluded {
            add_phrase(&mut parsed.excluded, run, &mut parsed.left_out);
        } else {
            add_words(&mut parsed, &mut known, run);
        }
    }
    parsed
}

/// Adds the words of a run of text without white space.
fn add_words(parsed: &mut ParsedQuery, known: &mut HashMap<String, usize>, run: &str) {
    let starred = run.strip_suffix('*').filter(|body| body.ends_with(char::is_alphanumeric));
    for_each_word(starred.unwrap_or(run), &mut |word| {
        let last = starred.is_some_and(|body| word.end == body.len());
        if last && !word.is_identifier && word.text.chars().count() >= MIN_PREFIX {
            let is_known = parsed.prefixes.iter().any(|known| *known == word.text);
            match parsed.prefixes.len() {
                _ if is_known => {}
                0..MAX_OPERATORS => parsed.prefixes.push(word.text.into_owned()),
                _ => parsed.left_out.operators += 1,
            }
        } else if let Some(at) = known.get(&*word.text) {
            if let Some(word) = parsed.words.get_mut(*at) {
                word.count = word.count.saturating_add(1);
            }
        } else if !(last && word.is_identifier) {
            // The index of a word beyond the limit is that of no entry of `words`.
            known.insert(word.text.to_string(), parsed.words.len());
            if parsed.words.len() < MAX_QUERY_WORDS {
                parsed.words.push(QueryWord {
                    text: word.text.into_owned(),
                    is_identifier: word.is_identifier,
                    count: 1,
                });
            } else {
                parsed.left_out.words += 1;
            }
        }
    });
}

/// Adds a phrase. Identifiers are given by their pieces only.
fn add_phrase(list: &mut Vec<Vec<String>>, phrase: &str, left_out: &mut QueryTruncation) {
    let mut pieces = Vec::new();
    for_each_word(phrase, &mut |word| match pieces.len() {
        _ if word.is_identifier => {}
        0..MAX_PHRASE_WORDS => pieces.push(normalize(&word.text).into_owned()),
        _ => left_out.phrase_words += 1,
    });
    match list.len() {
        _ if pieces.is_empty() => {}
        0..MAX_OPERATORS => list.push(pieces),
        _ => left_out.operators += 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|text| (*text).to_string()).collect()
    }

    fn word_texts(query: &str) -> Vec<String> {
        parse(query).words.into_iter().map(|word| word.text).collect()
    }

    #[test]
    fn operators_are_read() {
        let parsed = parse("restaurer \"Point de Reprise\" -brouillon -\"très vieux\" sauve*");
        assert_eq!(parsed.words.len(), 1);
        assert_eq!(parsed.phrases, [list(&["point", "de", "reprise"])]);
        assert_eq!(parsed.excluded, [list(&["brouillon"]), list(&["très", "vieux"])]);
        assert_eq!(parsed.prefixes, ["sauve"]);
    }

    #[test]
    fn everything_else_is_text() {
        assert_eq!(word_texts("a:b AND (c OR NOT d*)"), ["a:b", "a", "b", "and", "c", "or", "not", "d"]);
        assert_eq!(word_texts("e-mail - x -5 \"open"), ["e", "mail", "x", "5", "open"]);
        assert_eq!(parse("well-known").excluded, Vec::<Vec<String>>::new());
        assert_eq!(parse("* ** -* \"\" -\"\" \"!\" - -").words, []);
        assert!(parse("\"\" -\"-\" ''").phrases.is_empty());
    }

    #[test]
    fn words_are_counted_once() {
        let parsed = parse("wal wal WAL log");
        assert_eq!(parsed.words.iter().map(|word| word.count).collect::<Vec<_>>(), [3, 1]);
    }

    #[test]
    fn hostile_queries_are_bounded() {
        assert_eq!(parse(&"(".repeat(10_000)), ParsedQuery::default());
        assert_eq!(word_texts(&"NOT ".repeat(10_000)), ["not"]);
        assert!(word_texts(&"\"".repeat(100_000)).is_empty());
        assert!(parse(&"\"a ".repeat(100_000)).phrases.len() <= MAX_OPERATORS);
        assert!(parse(&"-\"a ".repeat(100_000)).excluded.len() <= MAX_OPERATORS);
        assert!(parse(&"ab* ".repeat(100_000)).prefixes == ["ab"]);
        let many: String = (0..150_000).map(|number| format!("w{number} ")).collect();
        assert_eq!(parse(&many).words.len(), MAX_QUERY_WORDS);
        assert_eq!(parse(&format!("\"{}\"", "a ".repeat(500_000))).phrases[0].len(), MAX_PHRASE_WORDS);
    }

    #[test]
    fn what_is_beyond_the_limits_is_counted() {
        let many: String = (0..MAX_QUERY_WORDS).map(|number| format!("w{number} ")).collect();
        assert_eq!(parse(&many).left_out, QueryTruncation::default());
        let more = format!("{many} w0 w1 zebra yak zebra");
        assert_eq!(parse(&more).left_out, QueryTruncation { words: 2, ..QueryTruncation::default() });
        let operators: String =
            (0..=MAX_OPERATORS).map(|number| format!("\"a b{number}\" -c{number} dd{number}* ")).collect();
        assert_eq!(parse(&operators).left_out, QueryTruncation { operators: 3, ..QueryTruncation::default() });
        let phrase = format!("\"{}\" -\"{}\"", "a ".repeat(MAX_PHRASE_WORDS + 1), "b ".repeat(MAX_PHRASE_WORDS + 2));
        assert_eq!(parse(&phrase).left_out, QueryTruncation { phrase_words: 3, ..QueryTruncation::default() });
    }
}
