//! Chooses the sentences that answer a question, and decides whether anything answers it.
//!
//! No signal is enough alone: a cross-encoder knows words and not the collection, a cosine has another scale with every
//! model, and words in common say little about a question of few words. Numbers come from the measurement in
//! `bench/README.md`.

use super::on_one_line;
use crate::search::fusion::standard_scores;
use std::collections::HashSet;
use std::ops::Range;

/// Weight of the rank of the passage, and of its score by a cross-encoder, against the signals of the sentence itself, which
/// count alike.
const PASSAGE_WEIGHT: f64 = 0.5;

/// What a sentence loses that says again what a chosen one says, if it has all of its words, in standard deviations of a signal
/// (maximal marginal relevance, Carbonell and Goldstein 1998).
const REPETITION: f64 = 1.0;

/// Words shorter than this, in characters, are no sign that two sentences say the same.
const MIN_REPEATED_CHARS: usize = 4;

/// What a sentence without an end loses, in standard deviations of a signal: it is a caption or a cell as a rule.
const UNFINISHED: f64 = 1.0;

/// Weight of the coverage against the score of a cross-encoder, whose range is about -11 to 10.
const COVERAGE_WEIGHT: f64 = 10.0;

/// Least relevance by default, with a cross-encoder and without.
const MIN_RELEVANCE: (f64, f64) = (7.0, 6.0);

/// Least score of a cross-encoder by default: there a passage is as likely as not to be relevant.
const MIN_RERANKED: f64 = 0.0;

/// A sentence that has no word of the question, and that a cross-encoder does not find relevant either, is left out of an answer
/// that has a better one if its score is below this, in standard deviations of the signals together.
const MIN_SCORE: f64 = -1.0;

/// A word of a question.
#[derive(Clone, Debug, PartialEq)]
pub struct Word {
    /// The word as it stands in the question.
    pub text: String,
    /// How much it tells: the rarer, the more.
    pub weight: f64,
    /// Whether it is a number, a code or a name.
    pub is_name: bool,
}

/// The share of the weight of `words` that is `held`, which has an element for each: 0 to 1. 1 without words.
pub fn coverage(words: &[Word], held: &[bool]) -> f64 {
    let all: f64 = words.iter().map(|word| word.weight).sum();
    let part: f64 = words.iter().zip(held).filter(|(_, held)| **held).map(|(word, _)| word.weight).sum();
    // A sum of nothing is -0.
    if all > 0.0 { part / all + 0.0 } else { 1.0 }
}

/// The words that are not `held`: numbers and names first, then those that tell most.
pub fn unmatched(words: &[Word], held: &[bool]) -> Vec<Word> {
    let mut missing: Vec<Word> =
        words.iter().zip(held).filter(|(_, held)| !**held).map(|(word, _)| word.clone()).collect();
    missing.sort_by(|a, b| b.is_name.cmp(&a.is_name).then(b.weight.total_cmp(&a.weight)));
    missing
}

/// Whether a word is a number, a code or a name: it has a digit, or a capital letter that no sentence begins with.
/// `follows` says that it does not stand at the beginning of a sentence, and `nouns_are_lower` that the language writes
/// ordinary nouns in lower case.
pub fn is_name(word: &str, follows: bool, nouns_are_lower: bool) -> bool {
    let mut letters = word.chars();
    let first = letters.next().is_some_and(char::is_uppercase);
    word.chars().any(char::is_numeric) || letters.any(char::is_uppercase) || (first && follows && nouns_are_lower)
}

/// What is known of the passages for a question.
#[derive(Clone, Copy, Debug)]
pub struct Evidence {
    /// The best score of a cross-encoder.
    pub reranked: Option<f64>,
    /// See [`coverage`], of the best passages.
    pub coverage: f64,
}

impl Evidence {
    /// How relevant the passages are: comparable between questions, for one cross-encoder, or without one.
    pub fn relevance(&self) -> f64 {
        self.reranked.unwrap_or_default() + COVERAGE_WEIGHT * self.coverage
    }

    /// Why the passages do not answer the question; `None` if they may. `least` is the relevance that is asked for, or
    /// `None` for the default; `missing` are the words that no passage has.
    pub fn refusal(&self, least: Option<f64>, missing: &[Word]) -> Option<String> {
        let names: Vec<String> =
            missing.iter().filter(|word| word.is_name).map(|word| format!("\"{}\"", word.text)).collect();
        if !names.is_empty() {
            return Some(format!("no passage has {}", names.join(", ")));
        }
        let default = if self.reranked.is_some() { MIN_RELEVANCE.0 } else { MIN_RELEVANCE.1 };
        let wanted = least.unwrap_or(default);
        if self.relevance() < wanted {
            // Comparable with a threshold for the other scale it is not.
            let scale = if self.reranked.is_some() { "" } else { ", from 0 to 10 without a cross-encoder" };
            return Some(format!(
                "the relevance of the best passages is {:.1}, and {wanted:.1} is needed{scale}",
                self.relevance()
            ));
        }
        match self.reranked {
            Some(score) if least.is_none() && score < MIN_RERANKED => {
                Some(format!("the best score by the cross-encoder is {score:.1}, and {MIN_RERANKED:.1} is needed"))
            }
            _ => None,
        }
    }
}

/// A sentence that may answer a question.
#[derive(Clone, Debug)]
pub struct Candidate<'a> {
    /// Its text.
    pub text: &'a str,
    /// Position of its passage in the ranking, from 0.
    pub rank: usize,
    /// Its bytes in the passage.
    pub range: Range<usize>,
    /// The share of the question that it has, see [`coverage`].
    pub overlap: f64,
    /// Score by a cross-encoder.
    pub reranked: Option<f64>,
    /// Score of its passage by a reranker.
    pub passage_reranked: Option<f64>,
    /// Cosine similarity with the question.
    pub similarity: Option<f64>,
}

/// The positions of the best sentences, at most `count`, best first, each with its score. Of sentences with the same
/// text, and of those that share text, the best comes alone, and what repeats the words of better ones comes later. What
/// nothing but the want of better ones speaks for is left out, but for the first.
pub fn choose(candidates: &[Candidate<'_>], count: usize) -> Vec<(usize, f64)> {
    let scores = scores(candidates);
    let words: Vec<HashSet<String>> = candidates.iter().map(|candidate| long_words(candidate.text)).collect();
    let mut repetition = vec![0.0; candidates.len()];
    let mut known: HashSet<String> = HashSet::new();
    let mut chosen: Vec<(usize, f64)> = Vec::new();
    let mut open: Vec<usize> = (0..candidates.len()).collect();
    while chosen.len() < count {
        let worth = |at: usize| scores[at] - REPETITION * repetition[at];
        // Of equals the first.
        let Some(best) = (0..open.len()).rev().max_by(|a, b| worth(open[*a]).total_cmp(&worth(open[*b]))) else {
            break;
        };
        let at = open.remove(best);
        let candidate = &candidates[at];
        let is_related = candidate.overlap > 0.0
            || candidate.reranked.is_some_and(|score| score >= MIN_RERANKED)
            || scores[at] >= MIN_SCORE;
        if (chosen.is_empty() || is_related)
            && !chosen.iter().any(|(other, _)| candidates[*other].shares_text(candidate))
            && known.insert(on_one_line(candidate.text).to_lowercase())
        {
            for &other in &open {
                repetition[other] = f64::max(repetition[other], shared(&words[at], &words[other]));
            }
            chosen.push((at, scores[at]));
        }
    }
    chosen
}

/// How well each sentence answers: the signals together, each in standard deviations.
fn scores(candidates: &[Candidate<'_>]) -> Vec<f64> {
    let mut scores = vec![0.0; candidates.len()];
    let mut add = |weight: f64, signal: &dyn Fn(&Candidate<'_>) -> Option<f64>| {
        let values: Option<Vec<f64>> =
            candidates.iter().map(|candidate| signal(candidate).filter(|value| value.is_finite())).collect();
        for (score, value) in scores.iter_mut().zip(values.map(|values| standard_scores(&values)).unwrap_or_default()) {
            *score += weight * value;
        }
    };
    add(1.0, &|candidate| candidate.reranked);
    add(1.0, &|candidate| candidate.similarity);
    add(1.0, &|candidate| Some(candidate.overlap));
    add(PASSAGE_WEIGHT, &|candidate| Some(1.0 / (candidate.rank as f64 + 2.0)));
    // Passages beyond those that are reranked are no better than the worst of them.
    let worst = candidates.iter().filter_map(|candidate| candidate.passage_reranked).reduce(f64::min);
    add(PASSAGE_WEIGHT, &|candidate| candidate.passage_reranked.or(worst));
    for (score, candidate) in scores.iter_mut().zip(candidates) {
        *score -= if is_finished(candidate.text) { 0.0 } else { UNFINISHED };
    }
    scores
}

impl Candidate<'_> {
    fn shares_text(&self, other: &Self) -> bool {
        other.rank == self.rank && other.range.start < self.range.end && self.range.start < other.range.end
    }
}

fn long_words(text: &str) -> HashSet<String> {
    let words = text.split(|sign: char| !sign.is_alphanumeric()).map(str::to_lowercase);
    words.filter(|word| word.chars().count() >= MIN_REPEATED_CHARS).collect()
}

/// The share of the words of the smaller set that the other has, too.
fn shared(one: &HashSet<String>, other: &HashSet<String>) -> f64 {
    one.intersection(other).count() as f64 / one.len().min(other.len()).max(1) as f64
}

/// Whether a text ends as a sentence does, or as the code that a sentence introduces.
pub fn is_finished(text: &str) -> bool {
    let end = text.trim_end_matches(['"', '\'', '”', '’', '»', ')', ']', ' ', '*', '_']);
    end.ends_with(['.', '!', '?', '…', ':', ';', '。', '！', '？']) || text.contains(":\n") || text.ends_with("```")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn word(text: &str, weight: f64, is_name: bool) -> Word {
        Word { text: text.into(), weight, is_name }
    }

    #[test]
    fn rare_words_count_more_and_names_are_named_first() {
        let words = [word("restore", 1.0, false), word("server", 0.5, false), word("PG17", 2.5, true)];
        assert!((coverage(&words, &[true, true, false]) - 0.375).abs() < 1e-9);
        assert_eq!(coverage(&[], &[]), 1.0);
        let missing: Vec<String> = unmatched(&words, &[false, true, false]).into_iter().map(|word| word.text).collect();
        assert_eq!(missing, ["PG17", "restore"]);
    }

    #[test]
    fn names_are_told_by_capitals_and_digits() {
        for (text, follows, lower, expected) in [
            ("RIPv2", false, false, true),
            ("17", false, false, true),
            ("Cisco", true, true, true),
            ("Which", false, true, false),
            ("Sicherung", true, false, false),
            ("backup", true, true, false),
        ] {
            assert_eq!(is_name(text, follows, lower), expected, "{text}");
        }
    }

    #[test]
    fn what_is_not_relevant_enough_or_lacks_a_name_is_refused() {
        let evidence = |reranked, coverage| Evidence { reranked, coverage };
        assert_eq!(evidence(Some(2.0), 0.6).refusal(None, &[]), None);
        assert!(evidence(Some(2.0), 0.4).refusal(None, &[]).unwrap().contains("is 6.0"));
        assert!(evidence(Some(-1.0), 1.0).refusal(None, &[]).unwrap().contains("cross-encoder"));
        assert_eq!(evidence(Some(-1.0), 1.0).refusal(Some(8.5), &[]), None, "the caller's own threshold stands alone");
        assert_eq!(evidence(None, 0.7).refusal(None, &[]), None);
        assert!(evidence(None, 0.5).refusal(None, &[word("x", 1.0, false)]).is_some());
        assert_eq!(
            evidence(Some(9.0), 1.0).refusal(None, &[word("Cisco", 1.0, true)]).unwrap(),
            "no passage has \"Cisco\""
        );
    }

    #[test]
    fn the_sentence_that_most_signals_prefer_comes_first_and_no_text_twice() {
        let candidate = |text: &'static str, rank, overlap, reranked| Candidate {
            text,
            rank,
            range: 0..text.len(),
            overlap,
            reranked: Some(reranked),
            passage_reranked: None,
            similarity: None,
        };
        let candidates = [
            candidate("A caption", 3, 0.9, 1.0),
            candidate("It starts at two.", 1, 0.2, 3.0),
            candidate("The backup runs each night.", 0, 0.9, 4.0),
            candidate("the backup  runs each night.", 2, 0.9, 4.0),
            candidate("The backup runs", 0, 0.9, 3.9),
        ];
        let chosen: Vec<usize> = choose(&candidates, 3).into_iter().map(|(at, _)| at).collect();
        assert_eq!(chosen, [2, 1, 0]);
        assert_eq!(choose(&[], 3), []);
        let unrelated = [candidates[2].clone(), candidate("Cats sleep.", 1, 0.0, -11.0)];
        assert_eq!(choose(&unrelated, 3).len(), 1);
        assert_eq!(choose(&unrelated[1..], 3).len(), 1, "the only one is no answer, but it is what there is");
    }

    #[test]
    fn the_score_of_the_passage_counts_and_repeated_words_come_later() {
        let candidate = |text: &'static str, rank, overlap, passage_reranked| Candidate {
            text,
            rank,
            range: 0..text.len(),
            overlap,
            reranked: Some(0.0),
            passage_reranked,
            similarity: None,
        };
        let better = [candidate("It is kept.", 0, 0.5, Some(-4.0)), candidate("It is lost.", 0, 0.5, Some(4.0))];
        assert_eq!(choose(&better, 1)[0].0, 1);
        let some = [candidate("It is kept.", 0, 0.5, None), candidate("It is lost.", 1, 0.5, Some(4.0))];
        assert_eq!(choose(&some, 1)[0].0, 0, "a passage that was not reranked is as good as the worst that was");
        let repeated = [
            candidate("Removal keeps the configuration files.", 0, 0.9, None),
            candidate("The configuration files are kept by removal.", 1, 0.88, None),
            candidate("Purging deletes these, too.", 2, 0.8, None),
            candidate("Bread.", 3, 0.1, None),
        ];
        let chosen: Vec<usize> = choose(&repeated, 3).into_iter().map(|(at, _)| at).collect();
        assert_eq!(chosen, [0, 2, 1]);
    }
}
