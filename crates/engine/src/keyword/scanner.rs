//! Query text as words, phrases, prefixes and exclusions. Every text is a query; nothing is a syntax error.
//!
//! `"exact phrase"` and `-excluded` count at the beginning of a word alone, `prefix*` at its end; any other sign,
//! `AND`, `OR` and brackets included, is text. One pass, without recursion.

use super::words::{plain, words};
use socle_core::protocol::{LeftOut, MAX_OPERATORS, MAX_PHRASE_WORDS, MAX_QUERY_WORDS};
use std::collections::HashMap;

/// Characters that a prefix needs; shorter ones are words.
const MIN_PREFIX: usize = 2;

/// What a query says.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Scanned {
    /// Different words, in order of appearance.
    pub words: Vec<QueryWord>,
    /// Phrases that have to be there, each a list of words as they stand.
    pub phrases: Vec<Vec<String>>,
    /// Beginnings of words.
    pub prefixes: Vec<String>,
    /// Phrases that must not be there.
    pub excluded: Vec<Vec<String>>,
    /// What is beyond the limits.
    pub left_out: LeftOut,
}

/// A word of a query.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct QueryWord {
    /// See [`super::words::Word::text`].
    pub text: String,
    /// See [`super::words::Word::whole`].
    pub whole: bool,
    /// Times that it stands in the query.
    pub count: u32,
}

/// Reads a query.
pub fn scan(query: &str) -> Scanned {
    let mut scanned = Scanned::default();
    let mut known = HashMap::new();
    let mut rest = query;
    // No closing sign is looked for again once there is none.
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
            let list = if excluded { &mut scanned.excluded } else { &mut scanned.phrases };
            add(list, phrase, &mut scanned.left_out);
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
            add(&mut scanned.excluded, run, &mut scanned.left_out);
        } else {
            take(&mut scanned, &mut known, run);
        }
    }
    scanned
}

/// The words of what stands between two spaces.
fn take(scanned: &mut Scanned, known: &mut HashMap<String, usize>, run: &str) {
    let starred = run.strip_suffix('*').filter(|body| body.ends_with(char::is_alphanumeric));
    words(starred.unwrap_or(run), &mut |word| {
        let last = starred.is_some_and(|body| word.end == body.len());
        if last && !word.whole && word.text.chars().count() >= MIN_PREFIX {
            let is_known = scanned.prefixes.iter().any(|known| *known == word.text);
            match scanned.prefixes.len() {
                _ if is_known => {}
                0..MAX_OPERATORS => scanned.prefixes.push(word.text.into_owned()),
                _ => scanned.left_out.operators += 1,
            }
        } else if let Some(at) = known.get(&*word.text) {
            if let Some(word) = scanned.words.get_mut(*at) {
                word.count = word.count.saturating_add(1);
            }
        } else if !(last && word.whole) {
            // Of those beyond the limit, the number is that of no word.
            known.insert(word.text.to_string(), scanned.words.len());
            if scanned.words.len() < MAX_QUERY_WORDS {
                scanned.words.push(QueryWord { text: word.text.into_owned(), whole: word.whole, count: 1 });
            } else {
                scanned.left_out.words += 1;
            }
        }
    });
}

/// Adds the words of a phrase, without identifiers as a whole.
fn add(list: &mut Vec<Vec<String>>, phrase: &str, left_out: &mut LeftOut) {
    let mut pieces = Vec::new();
    words(phrase, &mut |word| match pieces.len() {
        _ if word.whole => {}
        0..MAX_PHRASE_WORDS => pieces.push(plain(&word.text).into_owned()),
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
        scan(query).words.into_iter().map(|word| word.text).collect()
    }

    #[test]
    fn operators_are_read() {
        let scanned = scan("restaurer \"Point de Reprise\" -brouillon -\"très vieux\" sauve*");
        assert_eq!(scanned.words.len(), 1);
        assert_eq!(scanned.phrases, [list(&["point", "de", "reprise"])]);
        assert_eq!(scanned.excluded, [list(&["brouillon"]), list(&["très", "vieux"])]);
        assert_eq!(scanned.prefixes, ["sauve"]);
    }

    #[test]
    fn everything_else_is_text() {
        assert_eq!(word_texts("a:b AND (c OR NOT d*)"), ["a:b", "a", "b", "and", "c", "or", "not", "d"]);
        assert_eq!(word_texts("e-mail - x -5 \"open"), ["e", "mail", "x", "5", "open"]);
        assert_eq!(scan("well-known").excluded, Vec::<Vec<String>>::new());
        assert_eq!(scan("* ** -* \"\" -\"\" \"!\" - -").words, []);
        assert!(scan("\"\" -\"-\" ''").phrases.is_empty());
    }

    #[test]
    fn words_are_counted_once() {
        let scanned = scan("wal wal WAL log");
        assert_eq!(scanned.words.iter().map(|word| word.count).collect::<Vec<_>>(), [3, 1]);
    }

    #[test]
    fn hostile_queries_are_bounded() {
        assert_eq!(scan(&"(".repeat(10_000)), Scanned::default());
        assert_eq!(word_texts(&"NOT ".repeat(10_000)), ["not"]);
        assert!(word_texts(&"\"".repeat(100_000)).is_empty());
        assert!(scan(&"\"a ".repeat(100_000)).phrases.len() <= MAX_OPERATORS);
        assert!(scan(&"-\"a ".repeat(100_000)).excluded.len() <= MAX_OPERATORS);
        assert!(scan(&"ab* ".repeat(100_000)).prefixes == ["ab"]);
        let many: String = (0..150_000).map(|number| format!("w{number} ")).collect();
        assert_eq!(scan(&many).words.len(), MAX_QUERY_WORDS);
        assert_eq!(scan(&format!("\"{}\"", "a ".repeat(500_000))).phrases[0].len(), MAX_PHRASE_WORDS);
    }

    #[test]
    fn what_is_beyond_the_limits_is_counted() {
        let many: String = (0..MAX_QUERY_WORDS).map(|number| format!("w{number} ")).collect();
        assert_eq!(scan(&many).left_out, LeftOut::default());
        let more = format!("{many} w0 w1 zebra yak zebra");
        assert_eq!(scan(&more).left_out, LeftOut { words: 2, ..LeftOut::default() });
        let operators: String =
            (0..=MAX_OPERATORS).map(|number| format!("\"a b{number}\" -c{number} dd{number}* ")).collect();
        assert_eq!(scan(&operators).left_out, LeftOut { operators: 3, ..LeftOut::default() });
        let phrase = format!("\"{}\" -\"{}\"", "a ".repeat(MAX_PHRASE_WORDS + 1), "b ".repeat(MAX_PHRASE_WORDS + 2));
        assert_eq!(scan(&phrase).left_out, LeftOut { phrase_words: 3, ..LeftOut::default() });
    }
}
