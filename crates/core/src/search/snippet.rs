//! Snippets: the one or two fragments of a passage in which most words of the query stand together, cut at the ends of
//! sentences.

use std::collections::HashMap;
use std::ops::Range;

/// Stands where text is left out.
pub const ELLIPSIS: &str = "…";

/// Least room in characters for which a second fragment is looked for.
const MIN_FRAGMENT: usize = 60;

/// A sentence or line, without the white space around it, or the part of a long one that is shown.
#[derive(Clone, Debug)]
struct Unit {
    range: Range<usize>,
    /// Characters of the text before its first and after its last.
    characters: Range<usize>,
    /// The different words of the query in it, one bit each.
    words: u64,
    matches: usize,
    /// Text that is left out stands between it and the unit before.
    is_apart: bool,
}

/// The fragments of `text` for a snippet of at most `length` characters, in the order of the text. `matches` are the words
/// of the query in it, as byte ranges that ascend without overlap. Without a match, the beginning of the text.
///
/// A fragment consists of whole sentences unless one alone is too long: of that, whole words.
pub fn fragments(text: &str, matches: &[Range<usize>], length: usize) -> Vec<Range<usize>> {
    let units = units(text, matches, length);
    let Some((first, known)) = best(&units, length, 0) else { return Vec::new() };
    let room = length - characters(&units[first.clone()]);
    let (before, after) = (&units[..first.start], &units[first.end..]);
    let second = [(before, 0), (after, first.end)].into_iter().filter_map(|(others, from)| {
        let (second, words) = best(others, room, known)?;
        Some(((words & !known).count_ones(), from + second.start..from + second.end))
    });
    // A second fragment that has no further word tells nothing more. Of equals, the first.
    let second = second.filter(|(new, _)| room >= MIN_FRAGMENT && *new > 0).rev().max_by_key(|(new, _)| *new);
    let Some((_, second)) = second else {
        // What follows, for the room is there.
        let count = runs(&units[first.start..], length).count();
        return bytes(&units, &(first.start..first.start + count)).into_iter().collect();
    };
    let mut fragments: Vec<Range<usize>> = [first, second].iter().filter_map(|run| bytes(&units, run)).collect();
    fragments.sort_by_key(|range| range.start);
    fragments
}

/// The first `most` sentences of a text, of which one may become the snippet: of one that is longer than `length`
/// characters, the first words.
pub fn sentences(text: &str, length: usize, most: usize) -> Vec<Range<usize>> {
    units(text, &[], length).into_iter().take(most).map(|unit| unit.range).collect()
}

/// The bytes from the first to the last of some units.
fn bytes(units: &[Unit], run: &Range<usize>) -> Option<Range<usize>> {
    let run = units.get(run.clone())?;
    Some(run.first()?.range.start..run.last()?.range.end)
}

/// Sentences and lines. One that is longer than `length` is cut to the words around its first match.
fn units(text: &str, matches: &[Range<usize>], length: usize) -> Vec<Unit> {
    let mut units: Vec<Unit> = Vec::new();
    let mut bits: HashMap<String, u32> = HashMap::new();
    let mut matches = matches.iter().filter(|range| text.get((*range).clone()).is_some()).peekable();
    // Bytes and characters that were counted, and the end of the unit before.
    let (mut counted, mut count, mut last) = (0, 0, 0);
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        for sentence in sentences_of(line) {
            let begin = start + (sentence.len() - sentence.trim_start().len());
            let whole = begin..begin + sentence.trim().len();
            start += sentence.len();
            while matches.next_if(|range| range.start < whole.start).is_some() {}
            let first = matches.peek().map(|range| range.start).filter(|first| *first < whole.end);
            let Some(range) = cut(text, whole.clone(), first, length) else { continue };
            let mut unit = Unit { range, characters: 0..0, words: 0, matches: 0, is_apart: false };
            while let Some(range) = matches.next_if(|range| range.end <= unit.range.end) {
                let next = u32::try_from(bits.len()).unwrap_or(u32::MAX).min(u64::BITS - 1);
                let bit = *bits.entry(text[range.clone()].to_lowercase()).or_insert(next);
                unit.words |= 1 << bit;
                unit.matches += 1;
            }
            unit.is_apart = whole.start < unit.range.start
                || units.last().is_some_and(|_| text[last..unit.range.start].trim() != "");
            count += text[counted..unit.range.start].chars().count();
            let length = text[unit.range.clone()].chars().count();
            (unit.characters, counted, last) = (count..count + length, unit.range.end, unit.range.end);
            count += length;
            units.push(unit);
        }
    }
    units
}

/// The sentences of a line: up to a full stop and white space, or to one of Chinese or Japanese. Simpler than the rules of
/// Unicode (UAX 29), which take more time than the whole rest and stop at abbreviations as well.
fn sentences_of(line: &str) -> impl Iterator<Item = &str> {
    let mut rest = line;
    std::iter::from_fn(move || {
        let mut signs = rest.char_indices().peekable();
        let mut end = rest.len();
        while let Some((at, sign)) = signs.next() {
            let is_end = match sign {
                '.' | '!' | '?' | '…' => signs.peek().is_some_and(|(_, next)| next.is_whitespace()),
                '。' | '！' | '？' => true,
                _ => false,
            };
            if is_end {
                end = at + sign.len_utf8();
                break;
            }
        }
        let (sentence, after) = rest.split_at(end);
        rest = after;
        (!sentence.is_empty()).then_some(sentence)
    })
}

/// A sentence, or the words of one that is too long that stand in at most `length` characters, from a little before its
/// first match.
fn cut(text: &str, sentence: Range<usize>, first: Option<usize>, length: usize) -> Option<Range<usize>> {
    if sentence.is_empty() || text[sentence.clone()].chars().nth(length).is_none() {
        return (!sentence.is_empty()).then_some(sentence);
    }
    let wanted = first.unwrap_or(sentence.start);
    // A quarter of the room is for what leads to the match.
    let before = &text[sentence.start..wanted];
    let lead = before.char_indices().rev().take(length / 4).last().map_or(0, |(at, _)| at);
    let start = match lead {
        0 => sentence.start,
        lead => before[lead..].find(char::is_whitespace).map_or(wanted, |at| sentence.start + lead + at),
    };
    let after = &text[start..sentence.end];
    let end = after.char_indices().nth(length).map_or(after.len(), |(limit, _)| {
        after[..limit].rfind(char::is_whitespace).filter(|at| start + at > wanted).unwrap_or(limit)
    });
    let cut = &after[..end];
    let begin = start + (cut.len() - cut.trim_start().len());
    let range = begin..begin + cut.trim().len();
    (!range.is_empty()).then_some(range)
}

/// The run of units of at most `length` characters with most words that are not `known`, and its words; of equals, the one
/// with more matches, then the first and shortest.
fn best(units: &[Unit], length: usize, known: u64) -> Option<(Range<usize>, u64)> {
    let mut best: Option<((u32, usize), Range<usize>, u64)> = None;
    for start in 0..units.len() {
        let (mut words, mut matches) = (0, 0);
        for (at, unit) in runs(&units[start..], length).enumerate() {
            words |= unit.words;
            matches += unit.matches;
            let score = ((words & !known).count_ones(), matches);
            if best.as_ref().is_none_or(|(best, ..)| score > *best) {
                best = Some((score, start..start + at + 1, words));
            }
        }
    }
    best.map(|(_, run, words)| (run, words))
}

/// The first units, as far as they stand together and have at most `length` characters.
fn runs(units: &[Unit], length: usize) -> impl Iterator<Item = &Unit> {
    let start = units.first().map_or(0, |unit| unit.characters.start);
    let fits = move |(at, unit): &(usize, &Unit)| (*at == 0 || !unit.is_apart) && unit.characters.end - start <= length;
    units.iter().enumerate().take_while(fits).map(|(_, unit)| unit)
}

fn characters(units: &[Unit]) -> usize {
    units.first().zip(units.last()).map_or(0, |(first, last)| last.characters.end - first.characters.start)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn found(text: &str, words: &[&str]) -> Vec<Range<usize>> {
        let mut found: Vec<Range<usize>> =
            words.iter().flat_map(|word| text.match_indices(word).map(|(at, word)| at..at + word.len())).collect();
        found.sort_by_key(|range| range.start);
        found
    }

    fn snippet<'a>(text: &'a str, words: &[&str], length: usize) -> Vec<&'a str> {
        fragments(text, &found(text, words), length).into_iter().map(|range| &text[range]).collect()
    }

    const TEXT: &str = "The server writes a log. It is read after a crash. Backups are made each night by a job. \
                        Nothing else is of interest here, and this sentence only fills the page. A backup is restored with the log.";

    #[test]
    fn the_sentences_with_most_words_are_taken() {
        assert_eq!(snippet(TEXT, &["backup", "log", "restored"], 50), ["A backup is restored with the log."]);
        assert_eq!(snippet(TEXT, &["crash"], 30), ["It is read after a crash."]);
        assert_eq!(snippet(TEXT, &[], 30), ["The server writes a log."]);
        assert_eq!(snippet(TEXT, &["crash", "restored"], 120).len(), 2);
    }

    #[test]
    fn a_sentence_that_is_chosen_is_the_snippet() {
        let all: Vec<&str> = sentences(TEXT, 50, 3).into_iter().map(|range| &TEXT[range]).collect();
        assert_eq!(
            all,
            ["The server writes a log.", "It is read after a crash.", "Backups are made each night by a job."]
        );
        let chosen = sentences(TEXT, 50, 10)[2].clone();
        assert_eq!(fragments(TEXT, std::slice::from_ref(&chosen), 50), [chosen]);
    }

    #[test]
    fn a_long_sentence_is_cut_at_words() {
        let long = "word ".repeat(100) + "needle " + &"word ".repeat(100);
        let cut = snippet(&long, &["needle"], 60);
        assert!(
            cut.len() == 1 && cut[0].contains("needle") && cut[0].len() <= 60 && !cut[0].starts_with("ord"),
            "{cut:?}"
        );
    }

    #[test]
    fn odd_texts_have_a_snippet_or_none() {
        assert_eq!(snippet("", &[], 100), Vec::<&str>::new());
        assert_eq!(snippet(" \n ", &[], 100), Vec::<&str>::new());
        assert_eq!(snippet("a\n\nb", &["b"], 100), ["a\n\nb"]);
        assert_eq!(snippet("東京都の記録。大阪の記録。", &["大阪"], 8), ["大阪の記録。"]);
    }

    proptest! {
        #[test]
        fn fragments_are_short_whole_characters_and_apart(text in "[a-zé東. \n]{0,300}", length in 10_usize..120) {
            let fragments = fragments(&text, &found(&text, &["a", "é"]), length);
            let all: usize = fragments.iter().map(|range| text[range.clone()].chars().count()).sum();
            prop_assert!(all <= length && fragments.len() <= 2);
            prop_assert!(fragments.windows(2).all(|pair| pair[0].end <= pair[1].start));
            prop_assert!(!fragments.is_empty() || text.trim().is_empty());
        }
    }
}
