//! Parses query text into words, phrases, prefixes, requirements and exclusions, by a [`QuerySyntax`]. Every text is a
//! valid query, and whatever is no operator is text. One pass, without recursion.

use super::query_unit::{Unit, excluded_group, units};
use super::schema::Part;
use super::spelling::option_term;
use super::word_rule::Synonym;
use super::words::{WordForm, for_each_word, normalize};
use socle_core::Result;
use socle_core::protocol::{MAX_OPERATORS, MAX_PHRASE_WORDS, MAX_QUERY_WORDS, QuerySyntax, QueryTruncation};
use std::collections::HashMap;

/// Shortest prefix, in characters. The asterisk after a shorter one is ignored.
const MIN_PREFIX: usize = 2;

/// Shortest word that natural syntax excludes, in letters. What is shorter is an option of a command: `tar -xzf`.
const MIN_EXCLUDED: usize = 4;

/// Largest number of words with their other spellings.
const MAX_SPELLINGS: usize = 4 * MAX_QUERY_WORDS;

/// A parsed query.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct ParsedQuery {
    /// Distinct words, in order of first occurrence.
    pub words: Vec<QueryWord>,
    /// Required phrases, each a list of normalized words.
    pub phrases: Vec<Vec<String>>,
    /// Phrases that raise the score; their words are in `words`, too.
    pub preferred: Vec<Vec<String>>,
    /// Lists of which a document must have one clause each.
    pub any_of: Vec<Vec<Clause>>,
    /// Required words, of which any inflected form will do; they are in `words`, too.
    pub required: Vec<String>,
    /// The parts of words that are written as one (`iso` and `27001` of `ISO27001`), which a document must all have.
    pub split: Vec<Vec<String>>,
    /// Prefixes of words.
    pub prefixes: Vec<String>,
    /// Excluded words and phrases, each a list of normalized words.
    pub excluded: Vec<Vec<String>>,
    /// What is excluded in one part of chunks.
    pub excluded_in_part: Vec<Clause>,
    /// Words at the end of a natural query that are excluded, unless the index has them as options of a command.
    pub excluded_unless_option: Vec<String>,
    /// The pieces of each stretch of text, in order, in which terms of several words are looked for.
    pub runs: Vec<Vec<String>>,
    /// Words that are searched for as they stand, by rule.
    pub protected: Vec<String>,
    /// Words that are left out, by rule.
    pub stop_words: Vec<String>,
    /// Terms that have synonyms, by rule.
    pub synonyms: Vec<Synonym>,
    /// Number of words and operators that were left out because the query exceeds a limit.
    pub left_out: QueryTruncation,
}

/// What a document may be required to have.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Clause {
    /// How its words are found.
    pub form: ClauseForm,
    /// Its words.
    pub words: Vec<String>,
    /// The part of the chunk in which they are, if it is given.
    pub part: Option<Part>,
}

/// How the words of a [`Clause`] are found.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ClauseForm {
    /// In a row, or at most that far from it.
    Phrase(u32),
    /// All of them, in any inflected form.
    Words,
    /// The only one as the beginning of others.
    Prefix,
}

/// A word of a query.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct QueryWord {
    /// See [`super::words::Word::text`].
    pub text: String,
    /// See [`super::words::Word::form`].
    pub form: WordForm,
    /// See [`super::words::Word::may_be_stop_word`].
    pub may_be_stop_word: bool,
    /// Number of its occurrences in the query.
    pub count: u32,
}

impl QueryWord {
    /// A single word, as a piece.
    pub fn piece(text: &str) -> Self {
        Self { text: text.to_string(), form: WordForm::Piece, may_be_stop_word: true, count: 1 }
    }
}

impl ParsedQuery {
    /// The words of phrases, of exclusions and of what one of several is required of.
    pub fn operator_words(&self) -> impl Iterator<Item = &String> {
        let clauses = self.any_of.iter().flatten().chain(&self.excluded_in_part);
        let clauses = clauses.filter(|clause| clause.form != ClauseForm::Prefix).flat_map(|clause| &clause.words);
        self.phrases.iter().chain(&self.preferred).chain(&self.excluded).flatten().chain(clauses)
    }

    /// The words that are looked for in one part of chunks, in any inflected form.
    pub fn words_in_part(&self) -> impl Iterator<Item = &String> {
        let in_part = |clause: &&Clause| clause.part.is_some() && clause.form == ClauseForm::Words;
        self.any_of.iter().flatten().filter(in_part).flat_map(|clause| &clause.words)
    }

    /// Decides about the words at the end that are excluded unless `is_option`, in which case they are words like others.
    ///
    /// # Errors
    /// That of `is_option`.
    pub fn settle_exclusions(&mut self, is_option: &dyn Fn(&str) -> Result<bool>) -> Result<()> {
        for word in std::mem::take(&mut self.excluded_unless_option) {
            let option = option_term(&word);
            if !is_option(&option)? {
                self.excluded.push(vec![word]);
                continue;
            }
            if !self.words.iter().any(|known| known.text == word) {
                self.words.push(QueryWord::piece(&word));
            }
            self.words.push(QueryWord { form: WordForm::Identifier, ..QueryWord::piece(&option) });
        }
        Ok(())
    }
}

/// Parses a query.
pub fn parse(query: &str, syntax: QuerySyntax) -> ParsedQuery {
    let mut parser = Parser { parsed: ParsedQuery::default(), known: HashMap::new(), pieces: 0 };
    match syntax {
        QuerySyntax::Plain => parser.add_words(query, false),
        QuerySyntax::Natural => parser.natural(query),
        QuerySyntax::Operators => parser.operators(query),
    }
    parser.parsed
}

struct Parser {
    parsed: ParsedQuery,
    /// The index of each word in `words`; `usize::MAX` for one beyond the limit.
    known: HashMap<String, usize>,
    /// Number of different words without their other spellings.
    pieces: usize,
}

impl Parser {
    fn natural(&mut self, query: &str) {
        let whole = query.trim();
        if let Some((phrase, rest)) = quoted(whole)
            && rest.is_empty()
        {
            add_phrase(&mut self.parsed.phrases, phrase, &mut self.parsed.left_out);
            return;
        }
        let (text, excluded) = exclusions(query);
        for word in excluded.split_whitespace() {
            match self.parsed.excluded_unless_option.len() {
                0..MAX_OPERATORS => self.parsed.excluded_unless_option.push(normalize(&word[1..]).into_owned()),
                _ => self.parsed.left_out.operators += 1,
            }
        }
        // False once a quotation mark has no closing one: the rest is not searched again for each further mark.
        let mut closed = true;
        let mut begins = true;
        // Where the words begin that were not added yet.
        let mut from = 0;
        let mut at = 0;
        while let Some(sign) = text[at..].chars().next() {
            let rest = &text[at..];
            let is_excluded = begins && rest.starts_with('-') && rest[1..].starts_with(is_quotation_mark);
            let quote = &rest[usize::from(is_excluded)..];
            if begins && closed && quote.starts_with(is_quotation_mark) {
                match quoted(quote) {
                    Some((phrase, after)) if is_excluded => {
                        self.add_words(&text[from..at], true);
                        add_phrase(&mut self.parsed.excluded, phrase, &mut self.parsed.left_out);
                        at = text.len() - after.len();
                        from = at;
                    }
                    Some((phrase, after)) => {
                        add_phrase(&mut self.parsed.preferred, phrase, &mut self.parsed.left_out);
                        at = text.len() - after.len();
                    }
                    None => {
                        closed = false;
                        at += sign.len_utf8();
                    }
                }
                begins = false;
                continue;
            }
            begins = sign.is_whitespace() || matches!(sign, '(' | '[' | '{');
            at += sign.len_utf8();
        }
        self.add_words(&text[from..], true);
    }

    fn operators(&mut self, query: &str) {
        let units = units(query);
        let operand = |at: usize| units.get(at).filter(|unit| unit.is_operand());
        let joins = |at: usize| units.get(at).is_some_and(Unit::is_or) && operand(at + 1).is_some();
        // Where the text begins that was not added yet.
        let mut from = 0;
        let mut at = 0;
        while let Some(unit) = units.get(at) {
            if let Some(group) = excluded_group(&units[at..]) {
                self.add_words(&query[from..unit.start], true);
                for unit in group.iter().filter(|unit| !unit.is_or()) {
                    self.exclude(unit);
                }
                at += group.len();
                from = units[at - 1].end;
                continue;
            }
            let mut next = at + 1;
            if unit.is_operand() {
                while joins(next) {
                    next += 2;
                }
            }
            if next == at + 1 && unit.is_text() {
                at = next;
                continue;
            }
            self.add_words(&query[from..unit.start], true);
            if next > at + 1 {
                self.require_any(units[at..next].iter().step_by(2));
            } else {
                self.unit(unit);
            }
            from = units[next - 1].end;
            at = next;
        }
        self.add_words(&query[from..], true);
    }

    /// Adds a phrase, or a run with a sign.
    fn unit(&mut self, unit: &Unit<'_>) {
        let ParsedQuery { phrases, left_out, .. } = &mut self.parsed;
        match (unit.sign, unit.slop) {
            (Some('-'), _) => self.exclude(unit),
            _ if unit.part.is_some() => self.require_any(std::iter::once(unit)),
            (_, Some(0)) => add_phrase(phrases, unit.text, left_out),
            (_, Some(_)) => self.require_any(std::iter::once(unit)),
            (_, None) => {
                self.require(unit.text);
                self.add_words(unit.text, false);
            }
        }
    }

    /// Requires one of several phrases or runs.
    fn require_any<'a>(&mut self, units: impl Iterator<Item = &'a Unit<'a>>) {
        let mut alternatives = Vec::new();
        for unit in units {
            alternatives.extend(clause(unit, &mut self.parsed.left_out));
            if unit.slop.is_none() && unit.part.is_none() {
                self.add_words(unit.text, false);
            }
        }
        if alternatives.is_empty() {
            return;
        }
        alternatives.truncate(MAX_OPERATORS);
        match self.parsed.any_of.len() {
            0..MAX_OPERATORS => self.parsed.any_of.push(alternatives),
            _ => self.parsed.left_out.operators += 1,
        }
    }

    /// Excludes a phrase or a run.
    fn exclude(&mut self, unit: &Unit<'_>) {
        let ParsedQuery { excluded, excluded_in_part, left_out, .. } = &mut self.parsed;
        if unit.part.is_none() {
            add_phrase(excluded, unit.text, left_out);
            return;
        }
        let Some(clause) = clause(unit, left_out) else { return };
        match excluded_in_part.len() {
            0..MAX_OPERATORS => excluded_in_part.push(clause),
            _ => left_out.operators += 1,
        }
    }

    /// Requires each piece of a run of text.
    fn require(&mut self, run: &str) {
        let ParsedQuery { required, left_out, .. } = &mut self.parsed;
        for_each_word(run, &mut |word| {
            if word.is_piece() && !required.iter().any(|known| *known == word.text) {
                match required.len() {
                    0..MAX_OPERATORS => required.push(word.text.into_owned()),
                    _ => left_out.operators += 1,
                }
            }
        });
    }

    /// Adds the words of a text. An asterisk after a word makes it a prefix if `has_prefixes`.
    fn add_words(&mut self, text: &str, has_prefixes: bool) {
        let Self { parsed, known, pieces } = self;
        let is_prefix = |end: usize| {
            let after = text[end..].strip_prefix('*').filter(|_| has_prefixes);
            after.is_some_and(|after| after.chars().next().is_none_or(char::is_whitespace))
        };
        let mut parts: Vec<String> = Vec::new();
        let mut whole = String::new();
        let mut run: Vec<String> = Vec::new();
        for_each_word(text, &mut |word| {
            let starred = is_prefix(word.end);
            if starred && !word.is_piece() {
                return;
            }
            if word.form == WordForm::Part {
                parts.push(word.text.into_owned());
                // Where a part was left out because it tells nothing, the others would match too much.
                if parts.concat() == whole && parsed.split.len() < MAX_OPERATORS && !parsed.split.contains(&parts) {
                    parsed.split.push(std::mem::take(&mut parts));
                }
                return;
            }
            if word.is_piece() && run.len() < MAX_QUERY_WORDS {
                run.push(word.text.to_string());
            }
            parts.clear();
            whole.clear();
            whole.push_str(&word.text);
            if starred && word.text.chars().count() >= MIN_PREFIX {
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
            } else {
                let is_piece = word.is_piece();
                *pieces += usize::from(is_piece);
                let is_kept = *pieces <= MAX_QUERY_WORDS && parsed.words.len() < MAX_SPELLINGS;
                known.insert(word.text.to_string(), if is_kept { parsed.words.len() } else { usize::MAX });
                if is_kept {
                    parsed.words.push(QueryWord {
                        text: word.text.into_owned(),
                        form: word.form,
                        may_be_stop_word: word.may_be_stop_word,
                        count: 1,
                    });
                } else {
                    parsed.left_out.words += u32::from(is_piece);
                }
            }
        });
        if !run.is_empty() {
            parsed.runs.push(run);
        }
    }
}

/// Splits a query into its text and the words at its end that natural syntax excludes: `-word`, of letters alone, after at
/// least one word and no other one with a hyphen before it.
fn exclusions(query: &str) -> (&str, &str) {
    let mut text = query.trim_end();
    loop {
        let begin =
            text.rfind(char::is_whitespace).map_or(0, |at| at + text[at..].chars().next().map_or(1, char::len_utf8));
        let is_excluded = text[begin..]
            .strip_prefix('-')
            .is_some_and(|word| word.chars().count() >= MIN_EXCLUDED && word.chars().all(char::is_alphabetic));
        if !is_excluded || begin == 0 {
            break;
        }
        text = text[..begin].trim_end();
    }
    let mut words = text.split_whitespace();
    let is_plain = words.clone().next().is_some() && !words.any(|word| word.starts_with('-'));
    if is_plain { query.split_at(text.len()) } else { (query, "") }
}

/// Whether a sign opens or closes a phrase.
pub fn is_quotation_mark(sign: char) -> bool {
    matches!(sign, '"' | '\u{201c}'..='\u{201f}' | '«' | '»')
}

/// The text between a quotation mark at the beginning and the one that closes it, and the text after that. The closing
/// mark is not followed by a letter or digit.
pub fn quoted(text: &str) -> Option<(&str, &str)> {
    let open = text.chars().next().filter(|sign| is_quotation_mark(*sign))?;
    let inside = &text[open.len_utf8()..];
    let closes = |sign: char| match open {
        '"' => sign == '"',
        '«' => sign == '»',
        '»' => sign == '«',
        _ => matches!(sign, '"' | '\u{201c}'..='\u{201f}'),
    };
    let mut marks = inside.char_indices().filter(|(_, sign)| closes(*sign));
    let (end, mark) =
        marks.find(|(at, mark)| !inside[at + mark.len_utf8()..].chars().next().is_some_and(char::is_alphanumeric))?;
    Some((&inside[..end], &inside[end + mark.len_utf8()..]))
}

/// The clause of a phrase or a run; `None` for one without words.
fn clause(unit: &Unit<'_>, left_out: &mut QueryTruncation) -> Option<Clause> {
    let mut pieces = Vec::new();
    add_phrase(&mut pieces, unit.text, left_out);
    let words = pieces.pop()?;
    // Two equal words of a phrase would both be found in one place.
    let is_repeated = (1..words.len()).any(|at| words[..at].contains(&words[at]));
    let form = match (unit.slop, unit.prefix()) {
        (Some(_), _) if is_repeated => ClauseForm::Phrase(0),
        (Some(slop), _) => ClauseForm::Phrase(slop),
        (None, Some(prefix)) if words.len() == 1 && prefix.chars().count() >= MIN_PREFIX => ClauseForm::Prefix,
        // An excluded code is its pieces in a row, as without a field.
        (None, _) if unit.sign == Some('-') && words.len() > 1 => ClauseForm::Phrase(0),
        (None, _) => ClauseForm::Words,
    };
    Some(Clause { form, words, part: unit.part })
}

/// Adds a phrase.
fn add_phrase(list: &mut Vec<Vec<String>>, phrase: &str, left_out: &mut QueryTruncation) {
    let mut pieces = Vec::new();
    for_each_word(phrase, &mut |word| match pieces.len() {
        _ if !word.is_piece() => {}
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
mod tests;
