//! Snippets: the one or two fragments of a passage in which most words of the query stand together, cut at the ends of
//! sentences.

use std::collections::HashSet;
use std::ops::Range;
use unicode_segmentation::UnicodeSegmentation;

/// Stands where text is left out.
pub const ELLIPSIS: &str = "…";

/// Least room in characters for which a second fragment is looked for.
const MIN_FRAGMENT: usize = 60;

/// The fragments of `text` for a snippet of at most `length` characters, in the order of the text. `matches` are the words
/// of the query in it, as byte ranges that ascend without overlap. Without a match, the beginning of the text.
///
/// A fragment consists of whole sentences unless one alone is too long: of that, whole words.
pub fn fragments(text: &str, matches: &[Range<usize>], length: usize) -> Vec<Range<usize>> {
    let all = units(text, matches, length);
    let Some(first) = best(text, matches, &all, length, &HashSet::new()) else { return Vec::new() };
    let room = length.saturating_sub(characters(text, &first));
    let known = words(text, matches, &first);
    let apart = |unit: &&Range<usize>| unit.end <= first.start || unit.start >= first.end;
    let others: Vec<Range<usize>> = all.iter().filter(apart).cloned().collect();
    let second = if room < MIN_FRAGMENT { None } else { best(text, matches, &others, room, &known) };
    // A second fragment that has no further word tells nothing more.
    let second = second.filter(|range| words(text, matches, range).iter().any(|word| !known.contains(word)));
    if second.is_none() {
        // What follows, for the room is there.
        let following: Vec<Range<usize>> = all.into_iter().filter(|unit| unit.start >= first.start).collect();
        return runs(text, &following, first.start, length).pop().into_iter().collect();
    }
    let mut fragments: Vec<Range<usize>> = [Some(first), second].into_iter().flatten().collect();
    fragments.sort_by_key(|range| range.start);
    fragments
}

/// Sentences and lines, without the white space around them. One that is longer than `length` is cut to the words around
/// its matches.
fn units(text: &str, matches: &[Range<usize>], length: usize) -> Vec<Range<usize>> {
    let mut units = Vec::new();
    for (at, sentence) in text.split_sentence_bound_indices() {
        let mut start = at;
        for line in sentence.split_inclusive('\n') {
            let begin = start + (line.len() - line.trim_start().len());
            let end = begin + line.trim().len();
            start += line.len();
            if begin < end && characters(text, &(begin..end)) > length {
                units.extend(cut(text, begin..end, matches, length));
            } else if begin < end {
                units.push(begin..end);
            }
        }
    }
    units
}

/// The words of a sentence that stand in at most `length` characters, from a little before its first match.
fn cut(text: &str, sentence: Range<usize>, matches: &[Range<usize>], length: usize) -> Option<Range<usize>> {
    let first = matches.iter().find(|range| range.start >= sentence.start && range.end <= sentence.end);
    let wanted = first.map_or(sentence.start, |range| range.start);
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
    let end = start + end;
    let cut = text.get(start..end)?;
    let begin = start + (cut.len() - cut.trim_start().len());
    let range = begin..begin + cut.trim().len();
    (!range.is_empty()).then_some(range)
}

/// The run of units of at most `length` characters with most words that are not `known`; of equals, the one with more
/// matches, then the first and shortest.
fn best(
    text: &str,
    matches: &[Range<usize>],
    units: &[Range<usize>],
    length: usize,
    known: &HashSet<String>,
) -> Option<Range<usize>> {
    let mut best: Option<((usize, usize), Range<usize>)> = None;
    for (at, unit) in units.iter().enumerate() {
        for range in runs(text, &units[at..], unit.start, length) {
            let new = words(text, matches, &range).into_iter().filter(|word| !known.contains(word)).count();
            let all = matches.iter().filter(|one| one.start >= range.start && one.end <= range.end).count();
            if best.as_ref().is_none_or(|(score, _)| (new, all) > *score) {
                best = Some(((new, all), range));
            }
        }
    }
    best.map(|(_, range)| range)
}

/// The runs of the first units, from `start`, that have at most `length` characters, the shortest first.
fn runs(text: &str, units: &[Range<usize>], start: usize, length: usize) -> Vec<Range<usize>> {
    let mut runs: Vec<Range<usize>> = Vec::new();
    for unit in units {
        let is_apart = runs.last().is_some_and(|run| !text[run.end..unit.start].trim().is_empty());
        if is_apart || characters(text, &(start..unit.end)) > length {
            break;
        }
        runs.push(start..unit.end);
    }
    runs
}

fn words(text: &str, matches: &[Range<usize>], within: &Range<usize>) -> HashSet<String> {
    let inside = matches.iter().filter(|range| range.start >= within.start && range.end <= within.end);
    inside.filter_map(|range| text.get(range.clone())).map(str::to_lowercase).collect()
}

fn characters(text: &str, range: &Range<usize>) -> usize {
    text.get(range.clone()).map_or(0, |part| part.chars().count())
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
