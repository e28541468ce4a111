//! Attribution: which sentences of a text that a model has written are supported by passages, and by which part of them.
//!
//! Marks that the model writes are removed and not believed. A sentence is kept if a passage has all of its particulars and
//! most of its words, denies or does not deny as it does, and if a cross-encoder, where there is one, finds that both say
//! the same. This says that passages support a sentence, not that it is true.

use super::choose::Word;
use super::context::Passage;
use super::on_one_line;
use super::particular::{Particular, normalized, particulars};
use super::sentence::sentences;
use std::collections::HashSet;
use std::ops::Range;

/// Most sentences of a generated text that are looked at.
pub const MAX_CLAIMS: usize = 60;

/// Most sentences of a passage that support one of an answer together, and most bytes of these.
const MAX_SENTENCES: usize = 3;
const MAX_BYTES: usize = 700;

/// Least share of the words of a sentence, weighed, that a part of a passage must have. Room for other words, but as a rule not for
/// another thing than the passage speaks of, whose word is rarer than most: cross-encoders do not notice that.
const MIN_OVERLAP: f64 = 0.8;

/// Least score of a cross-encoder. Below it, a passage is rather not about the same.
const MIN_RERANKED: f64 = 0.0;

/// Least score of a part of a passage for the question by a cross-encoder: what answers a part of it has -8 to 10, what is about
/// something else has -11. A passage may order a model to write of something else.
const MIN_RELATED: f64 = -8.0;

/// Parts of passages that a cross-encoder compares with a sentence.
const MAX_COMPARED: usize = 4;

/// Words that deny, in English, French and German.
const DENIALS: [&str; 27] = [
    "not", "no", "never", "none", "nothing", "neither", "nor", "without", "cannot", "pas", "jamais", "aucun", "aucune",
    "sans", "rien", "ni", "ne", "n", "nicht", "kein", "keine", "keinen", "keiner", "keinem", "nie", "niemals", "ohne",
];

/// A sentence of a generated text.
#[derive(Clone, Debug, PartialEq)]
pub struct Claim {
    /// Its text on one line, without marks.
    pub text: String,
    /// See [`particulars`].
    particulars: Vec<Particular>,
    denies: bool,
    /// The model had no tokens left to complete it.
    pub is_cut: bool,
}

/// A part of a passage: one or more sentences that follow each other.
#[derive(Clone, Debug)]
pub struct Part {
    /// Number of the passage.
    pub passage: usize,
    /// Its bytes in the passage.
    pub range: Range<usize>,
    text: String,
    /// Whether its sentences deny something; `None` if some do and others do not.
    denies: Option<bool>,
}

/// What a part of a passage has of the words of a claim.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Overlap {
    /// The share of the words, from 0 to 1: see [`super::choose::coverage`].
    pub share: f64,
    /// A word that may be a name, and that it does not have in any form.
    pub missing: Option<String>,
}

/// The sentences of a generated text. See [`particulars`] for the other arguments.
pub fn claims(generated: &str, capitals_are_names: bool, known: &HashSet<String>) -> Vec<Claim> {
    let found = sentences(generated, false).into_iter().filter(|sentence| !sentence.is_heading);
    let claims = found.filter_map(|sentence| claim(&generated[sentence.range], capitals_are_names, known));
    claims.take(MAX_CLAIMS).collect()
}

/// The number of bytes of a text that is still being written which are complete sentences: what follows changes none of
/// them.
pub fn complete(written: &str) -> usize {
    let found = sentences(written, false);
    found.len().checked_sub(2).map_or(0, |last| found[last].range.end)
}

fn claim(sentence: &str, capitals_are_names: bool, known: &HashSet<String>) -> Option<Claim> {
    let text = without_marks(without_item(sentence));
    let particulars = particulars(&text, capitals_are_names, known);
    let text = on_one_line(&text);
    let denies = denies(&text);
    text.contains(char::is_alphanumeric).then_some(Claim { text, particulars, denies, is_cut: false })
}

/// A sentence without the number or the sign of a list item.
fn without_item(sentence: &str) -> &str {
    let text = sentence.trim_start_matches(['-', '*', '•', '>', ' ']);
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let after = &text[digits..];
    let is_item = (1..=3).contains(&digits) && (after.starts_with(". ") || after.starts_with(") "));
    // An option is no list item.
    if is_item {
        &after[2..]
    } else if sentence.starts_with("--") {
        sentence
    } else {
        text
    }
}

/// A text without marks such as `[1]`, `[1, 2]` or `【3】`, except in code.
fn without_marks(text: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    for (at, part) in text.split('`').enumerate() {
        if at > 0 {
            kept.push('`');
        }
        let is_code = at % 2 == 1;
        let mut rest = part;
        while let Some(range) = mark(rest).filter(|_| !is_code) {
            // A full stop after a mark ends the sentence.
            kept.push_str(rest[..range.start].trim_end());
            rest = &rest[range.end..];
        }
        kept.push_str(rest);
    }
    kept
}

/// The first mark of a citation in a text, in bytes.
pub fn mark(text: &str) -> Option<Range<usize>> {
    text.char_indices().filter(|(_, sign)| matches!(sign, '[' | '【')).find_map(|(start, open)| {
        let inside = &text[start + open.len_utf8()..];
        let end = inside.find([']', '】'])?;
        let digits = inside[..end].chars().filter(char::is_ascii_digit).count();
        let is_mark = (1..=9).contains(&digits)
            && inside[..end].chars().all(|sign| sign.is_ascii_digit() || matches!(sign, ',' | ' ' | '-' | '^'));
        let close = inside[end..].chars().next().map_or(0, char::len_utf8);
        is_mark.then(|| start..start + open.len_utf8() + end + close)
    })
}

/// Whether a sentence denies something.
fn denies(text: &str) -> bool {
    let text = normalized(text);
    text.contains("n't") || text.split(|sign: char| !sign.is_alphanumeric()).any(|word| DENIALS.contains(&word))
}

/// The parts of a passage that can support a sentence: each sentence, and up to `MAX_SENTENCES` that follow each other.
/// Each line is a sentence where `lines_are_blocks`, as in the text of HTML.
pub fn parts(number: usize, passage: &Passage, lines_are_blocks: bool) -> Vec<Part> {
    let single: Vec<Range<usize>> = sentences(&passage.content, lines_are_blocks)
        .into_iter()
        .filter(|sentence| !sentence.is_heading)
        .map(|sentence| sentence.range)
        .collect();
    let denies: Vec<bool> = single.iter().map(|range| denies(&passage.content[range.clone()])).collect();
    let mut parts = Vec::new();
    for (first, start) in single.iter().enumerate() {
        for (last, end) in single.iter().enumerate().skip(first).take(MAX_SENTENCES) {
            let range = start.start..end.end;
            // A citation has one place: what lies in the document with a gap inside has none.
            if (last != first && range.len() > MAX_BYTES) || passage.within_pieces(&range).len() != 1 {
                break;
            }
            let text = normalized(&passage.content[range.clone()]);
            let alike = denies[first..=last].iter().all(|other| *other == denies[first]);
            let denies = alike.then_some(denies[first]);
            parts.push(Part { passage: number, range, text, denies });
        }
    }
    parts
}

impl Part {
    /// Whether it has a particular. A name in the title or a heading does not count: what stands below "Debian" may be about
    /// something else.
    fn has(&self, particular: &Particular) -> bool {
        particular.is_in(&self.text)
    }
}

impl Claim {
    /// The positions of the parts of passages that may support the claim, the best first, at most `MAX_COMPARED`.
    /// `overlaps` has an element for each of `parts`.
    ///
    /// # Errors
    /// Why no part supports it.
    pub fn candidates(&self, parts: &[Part], overlaps: &[Overlap]) -> Result<Vec<usize>, String> {
        if self.is_cut {
            return Err("it is cut off".to_string());
        }
        if self.text.ends_with('?') {
            return Err("it is a question".to_string());
        }
        let unknown = |particular: &&Particular| !parts.iter().any(|part| part.has(particular));
        if let Some(particular) = self.particulars.iter().find(unknown) {
            return Err(format!("no passage has \"{}\"", on_one_line(&particular.text)));
        }
        let mut found: Vec<usize> = (0..parts.len()).collect();
        let mut keep = |wanted: &dyn Fn(usize) -> bool, reason: &dyn Fn(&[usize]) -> String| {
            let before = found.clone();
            found.retain(|at| wanted(*at));
            if found.is_empty() { Err(reason(&before)) } else { Ok(()) }
        };
        keep(&|at| self.particulars.iter().all(|particular| parts[at].has(particular)), &|_| {
            let names: Vec<String> =
                self.particulars.iter().map(|one| format!("\"{}\"", on_one_line(&one.text))).collect();
            if names.is_empty() {
                "no passage has a sentence".into()
            } else {
                format!("no passage has {} together", names.join(", "))
            }
        })?;
        keep(&|at| overlaps[at].share >= MIN_OVERLAP, &|before| {
            let best = before.iter().map(|at| overlaps[*at].share).fold(0.0, f64::max);
            let [best, least] = [best, MIN_OVERLAP].map(|share| 100.0 * share);
            format!("a passage has {best:.0} % of its words, weighed, and {least:.0} % are needed")
        })?;
        keep(&|at| overlaps[at].missing.is_none(), &|before| {
            let missing = before.iter().find_map(|at| overlaps[*at].missing.clone());
            format!("no passage that has its words has \"{}\"", missing.unwrap_or_default())
        })?;
        keep(&|at| parts[at].denies == Some(self.denies), &|_| {
            let (one, other) = if self.denies { ("denies", "does not") } else { ("does not deny", "does") };
            format!("it {one} what a passage with its words {other}")
        })?;
        // Of parts with the same words the shortest, and of these the first.
        found.sort_by(|a, b| {
            let size = |at: &usize| parts[*at].range.len();
            overlaps[*b].share.total_cmp(&overlaps[*a].share).then(size(a).cmp(&size(b))).then(a.cmp(b))
        });
        let mut distinct: Vec<usize> = Vec::new();
        for at in found {
            // A part around a better one adds nothing.
            let contains = |other: &usize| {
                let (one, other) = (&parts[at], &parts[*other]);
                one.passage == other.passage && one.range.start <= other.range.start && other.range.end <= one.range.end
            };
            if distinct.len() < MAX_COMPARED && !distinct.iter().any(contains) {
                distinct.push(at);
            }
        }
        Ok(distinct)
    }
}

/// A word that may be a name and that a part of a passage does not have in any form, though its capital letter alone does
/// not make it one: at the beginning of a sentence, if no passage has it anywhere; in a language that writes all nouns with
/// capital letters, anywhere. The arguments have an element for each word.
pub fn missing_name(words: &[Word], part: &[bool], anywhere: &[bool], capitals_are_names: bool) -> Option<String> {
    let is_held = |at: usize| part[at] || (capitals_are_names && anywhere[at]);
    let is_missing = |at: &usize| words[*at].text.starts_with(char::is_uppercase) && !is_held(*at);
    (0..words.len()).find(is_missing).map(|at| words[at].text.clone())
}

/// The position of the best of the candidates by the scores of a cross-encoder, which has two for each: for the sentence, and
/// for the question.
///
/// # Errors
/// Why none is good enough.
pub fn best(for_sentence: &[f64], for_question: &[f64]) -> Result<usize, String> {
    let needed = |what: &str, scores: &mut dyn Iterator<Item = f64>, least: f64| {
        let score = scores.fold(f64::NEG_INFINITY, f64::max);
        format!("{what}: the best score by the cross-encoder is {score:.1}, and {least:.1} is needed")
    };
    let said: Vec<usize> = (0..for_sentence.len()).filter(|at| for_sentence[*at] >= MIN_RERANKED).collect();
    if said.is_empty() {
        return Err(needed("no passage says it", &mut for_sentence.iter().copied(), MIN_RERANKED));
    }
    let related = said.iter().copied().filter(|at| for_question[*at] >= MIN_RELATED);
    let better = |a: &usize, b: &usize| for_sentence[*a].total_cmp(&for_sentence[*b]).then(b.cmp(a));
    related
        .max_by(better)
        .ok_or_else(|| needed("it is about something else", &mut said.iter().map(|at| for_question[*at]), MIN_RELATED))
}

#[cfg(test)]
mod tests {
    use super::super::context::{Found, pack};
    use super::*;
    use proptest::prelude::*;

    const PASSAGE: &str = "Stop the server before you restore a backup. Then unpack the archive with tar -x. \
                           The server listens on port 5432. It does not listen on port 80.";

    fn passage(content: &str) -> Passage {
        let found =
            [Found { document: 1, ordinals: (1, 1), start: 1, end: content.chars().count() as i32 + 1, content }];
        pack(&found, usize::MAX, &mut |_, _| Ok(0)).unwrap().remove(0)
    }

    /// Words alone, as far as they have four letters, stand for the keyword index.
    fn overlaps(claim: &Claim, parts: &[Part]) -> Vec<Overlap> {
        let words = |text: &str| -> Vec<String> {
            normalized(text)
                .split(|sign: char| !sign.is_alphanumeric())
                .filter(|word| word.len() > 3)
                .map(str::to_string)
                .collect()
        };
        let wanted = words(&claim.text);
        let share = |part: &Part| {
            let there = words(&part.text);
            wanted.iter().filter(|word| there.contains(word)).count() as f64 / wanted.len().max(1) as f64
        };
        parts.iter().map(|part| Overlap { share: share(part), missing: None }).collect()
    }

    fn judge(sentence: &str) -> Result<String, String> {
        let (passage, none) = (passage(PASSAGE), HashSet::new());
        let parts = parts(0, &passage, false);
        let claims = claims(sentence, true, &none);
        assert_eq!(claims.len(), 1, "{sentence}");
        let found = claims[0].candidates(&parts, &overlaps(&claims[0], &parts))?;
        Ok(passage.content[parts[found[0]].range.clone()].to_string())
    }

    #[test]
    fn marks_of_the_model_and_list_items_are_no_part_of_a_sentence() {
        let texts = |text: &str| -> Vec<String> {
            claims(text, true, &HashSet::new()).into_iter().map(|claim| claim.text).collect()
        };
        assert_eq!(
            texts(
                "The library opens at nine. [1] On Sundays [2, 3] it is closed【4】. See `a[1]`.\n\n1. Stop it [^1]\n- Then go."
            ),
            ["The library opens at nine.", "On Sundays it is closed.", "See `a[1]`.", "Stop it", "Then go."]
        );
        assert_eq!(texts("[1]\n\n# Heading\n\n…"), Vec::<String>::new());
        assert_eq!(texts("--all takes all."), ["--all takes all."]);
        assert_eq!(texts(&"Yes, it is. ".repeat(100)).len(), MAX_CLAIMS);
    }

    #[test]
    fn a_sentence_is_supported_by_the_smallest_part_with_its_words_and_particulars() {
        assert_eq!(judge("The server listens on port 5432 [9].").unwrap(), "The server listens on port 5432.");
        assert_eq!(
            judge("Stop the server before you restore PostgreSQL.").unwrap_err(),
            "no passage has \"PostgreSQL\"",
            "whatever stands in the headings"
        );
        assert_eq!(
            judge("Stop the server and unpack the archive with -x.").unwrap(),
            "Stop the server before you restore a backup. Then unpack the archive with tar -x."
        );
    }

    #[test]
    fn a_sentence_with_another_number_name_word_or_sense_is_not_supported() {
        for (sentence, reason) in [
            ("The server listens on port 5433.", "no passage has \"5433\""),
            ("The server listens on port 543.", "no passage has \"543\""),
            ("Stop the server with Webmin before you restore a backup.", "no passage has \"Webmin\""),
            ("Unpack the archive with `tar -c`.", "no passage has \"tar -c\""),
            ("Does the server listen on port 5432?", "it is a question"),
            ("Coffee costs money in every kitchen.", "a passage has 0 % of its words"),
            ("Stop the printer and restore a backup.", "a passage has 75 % of its words"),
            ("The server does not listen on port 5432.", "it denies what a passage with its words does not"),
            ("The server does listen on port 80.", "it does not deny what a passage with its words does"),
        ] {
            let found = judge(sentence);
            assert!(found.as_ref().is_err_and(|found| found.starts_with(reason)), "{sentence}: {found:?}");
        }
    }

    #[test]
    fn a_cross_encoder_decides_between_parts_and_against_all() {
        assert_eq!(best(&[0.5, 3.0, 3.0], &[1.0, -7.0, 1.0]), Ok(1));
        assert_eq!(best(&[0.5, 3.0], &[1.0, -11.0]), Ok(0));
        assert!(
            best(&[-0.1, -4.0], &[9.0, 9.0])
                .unwrap_err()
                .contains("says it: the best score by the cross-encoder is -0.1")
        );
        assert!(
            best(&[9.0, -4.0], &[-11.0, 9.0])
                .unwrap_err()
                .contains("something else: the best score by the cross-encoder is -11.0")
        );
        assert!(best(&[], &[]).is_err());
        let mut cut = claims("The server listens on port", true, &HashSet::new()).remove(0);
        cut.is_cut = true;
        assert_eq!(cut.candidates(&[], &[]), Err("it is cut off".to_string()));
        let claim = &claims("The server listens on port 5432.", true, &HashSet::new())[0];
        let parts = parts(0, &passage(PASSAGE), false);
        let mut found = overlaps(claim, &parts);
        assert!(claim.candidates(&parts, &found).unwrap().len() <= MAX_COMPARED);
        found.iter_mut().for_each(|overlap| overlap.share *= 0.9);
        assert!(claim.candidates(&parts, &found).is_ok(), "with another word");
        found.iter_mut().for_each(|overlap| overlap.missing = Some("Server".into()));
        assert!(claim.candidates(&parts, &found).unwrap_err().contains("\"Server\""));
        assert!(claim.candidates(&[], &[]).is_err());
    }

    #[test]
    fn a_word_with_a_capital_must_be_somewhere_or_in_the_part() {
        let words: Vec<Word> =
            ["Paris", "Run", "server"].map(|text| Word { text: text.into(), weight: 1.0, is_name: false }).into();
        let missing = |part: [bool; 3], anywhere: [bool; 3], names| missing_name(&words, &part, &anywhere, names);
        assert_eq!(missing([false, false, true], [false, true, true], true).as_deref(), Some("Paris"));
        assert_eq!(missing([true, false, false], [true, true, false], true), None);
        assert_eq!(missing([true, false, false], [true, true, false], false).as_deref(), Some("Run"));
    }

    proptest! {
        #[test]
        fn what_is_complete_stays_as_it_is(text in "([A-Za-z1-3]{1,8}([.!:,]| \\[1\\]|\n|\n\n|\n- |```|e\\.g\\.)? ?){0,40}", cut in 0..400_usize) {
            let cut = (0..=cut.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
            let done = complete(&text[..cut]);
            let whole = |text: &str| claims(text, true, &HashSet::new());
            let (part, all) = (whole(&text[..done]), whole(&text));
            prop_assert!(part.len() <= all.len() && part[..] == all[..part.len()], "{:?} {:?}", part, all);
        }
    }
}
