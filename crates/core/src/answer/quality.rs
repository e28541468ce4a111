//! How good an answer is against reference answers, and which threshold declines best.

use serde_json::Value;
use std::collections::HashMap;

/// How an answer compares with the best of its references.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Match {
    /// The words of a reference stand in the answer, in a row.
    pub contained: bool,
    /// Harmonic mean of the shares of words that answer and reference have in common (Rajpurkar 2016), 0 to 1.
    pub f1: f64,
}

/// The words of a text in lower case: letters and digits.
fn words(text: &str) -> Vec<String> {
    let words = text.split(|letter: char| !letter.is_alphanumeric()).filter(|word| !word.is_empty());
    words.map(str::to_lowercase).collect()
}

/// Compares an answer with its references; each measure is that of the reference it is best for. A reference without
/// words is not contained in anything.
pub fn compare(answer: &str, references: &[&str]) -> Match {
    let answer = words(answer);
    let mut best = Match::default();
    for reference in references.iter().map(|reference| words(reference)).filter(|reference| !reference.is_empty()) {
        best.contained |= answer.windows(reference.len()).any(|window| window == reference);
        let mut counts: HashMap<&String, usize> = HashMap::new();
        answer.iter().for_each(|word| *counts.entry(word).or_default() += 1);
        let mut common = 0.0;
        for word in &reference {
            if let Some(count) = counts.get_mut(word).filter(|count| **count > 0) {
                *count -= 1;
                common += 1.0;
            }
        }
        best.f1 = best.f1.max(2.0 * common / (answer.len() + reference.len()) as f64);
    }
    best
}

/// Whether the key of a document, a JSON object, is the one that a user states: as such an object, or as the value of its only
/// column, as a text or as it is.
pub fn is_key(key: &Value, stated: &Value) -> bool {
    let plain = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_string);
    let only = key.as_object().filter(|columns| columns.len() == 1).and_then(|columns| columns.values().next());
    key == stated || only.is_some_and(|value| plain(value) == plain(stated))
}

/// A question with the relevance of its passages.
#[derive(Clone, Copy, Debug)]
pub struct Judged {
    /// Its relevance.
    pub relevance: f64,
    /// Whether it has an answer.
    pub is_answerable: bool,
    /// Whether what would be answered is right.
    pub is_right: bool,
    /// Whether it is declined whatever the threshold.
    pub is_refused: bool,
}

/// What becomes of questions with a threshold.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Outcome {
    /// The least relevance of an answer.
    pub threshold: f64,
    /// Questions with an answer that are answered rightly.
    pub right: usize,
    /// Questions with an answer that are answered wrongly.
    pub wrong: usize,
    /// Questions with an answer that are declined.
    pub declined_wrongly: usize,
    /// Questions without an answer that are declined.
    pub declined_rightly: usize,
    /// Questions without an answer that are answered.
    pub answered_wrongly: usize,
}

/// The outcome at each threshold that makes a difference, ascending: the relevance of each question, and above all.
pub fn thresholds(questions: &[Judged]) -> Vec<Outcome> {
    let mut thresholds: Vec<f64> = questions.iter().map(|question| question.relevance).collect();
    thresholds.sort_by(f64::total_cmp);
    thresholds.dedup();
    thresholds.extend(thresholds.last().map(|last| last + 1.0));
    thresholds.into_iter().map(|threshold| outcome(questions, threshold)).collect()
}

fn outcome(questions: &[Judged], threshold: f64) -> Outcome {
    let mut outcome = Outcome { threshold, ..Outcome::default() };
    for question in questions {
        let declined = question.is_refused || question.relevance < threshold;
        let count = match (question.is_answerable, declined, question.is_right) {
            (true, true, _) => &mut outcome.declined_wrongly,
            (true, false, true) => &mut outcome.right,
            (true, false, false) => &mut outcome.wrong,
            (false, true, _) => &mut outcome.declined_rightly,
            (false, false, _) => &mut outcome.answered_wrongly,
        };
        *count += 1;
    }
    outcome
}

/// The outcome with the best sum of the shares that are answered of the questions with an answer, and declined of those
/// without; the highest threshold of equals, half-way to the questions below it.
pub fn best_threshold(questions: &[Judged]) -> Option<Outcome> {
    let all = thresholds(questions);
    let share = |part: usize, other: usize| if part + other == 0 { 1.0 } else { part as f64 / (part + other) as f64 };
    let worth = |outcome: &Outcome| {
        share(outcome.right + outcome.wrong, outcome.declined_wrongly)
            + share(outcome.declined_rightly, outcome.answered_wrongly)
    };
    let best = all.iter().enumerate().max_by(|(_, a), (_, b)| worth(a).total_cmp(&worth(b)))?;
    let below = best.0.checked_sub(1).map(|below| all[below].threshold);
    let threshold = below.map_or(best.1.threshold, |below| f64::midpoint(below, best.1.threshold));
    Some(Outcome { threshold, ..*best.1 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_stated_by_its_only_value_or_as_a_whole() {
        let is = |key: &str, stated: &str| {
            is_key(&serde_json::from_str(key).unwrap(), &serde_json::from_str(stated).unwrap())
        };
        for stated in [r#"{"id": 2}"#, "2", r#""2""#] {
            assert!(is(r#"{"id":2}"#, stated), "{stated}");
        }
        assert!(is(r#"{"path":"a/b"}"#, r#""a/b""#) && is(r#"{"b":"x","a":1}"#, r#"{"a":1,"b":"x"}"#));
        assert!(!is(r#"{"id":2}"#, "3") && !is(r#"{"id":2}"#, r#"{"id":20}"#) && !is(r#"{"a":1,"b":2}"#, "1"));
    }

    #[test]
    fn a_reference_is_contained_as_a_run_of_words() {
        assert!(compare("It is /etc/hosts, as always.", &["/etc/hosts"]).contained);
        assert!(!compare("It is always.", &["at", "way"]).contained);
        assert!(!compare("anything", &["..."]).contained);
        let both = compare("The port is 80.", &["port 8080", "port 80"]);
        assert!(!both.contained, "the words of the second are not in a row");
        assert!((both.f1 - 2.0 * 2.0 / 6.0).abs() < 1e-9);
        assert_eq!(compare("", &["a"]), Match { contained: false, f1: 0.0 });
    }

    #[test]
    fn the_best_threshold_lies_between_what_is_answered_and_what_is_not() {
        let question =
            |relevance, is_answerable, is_right| Judged { relevance, is_answerable, is_right, is_refused: false };
        let questions = [
            question(9.0, true, true),
            question(7.0, true, false),
            question(5.0, false, false),
            question(2.0, false, false),
        ];
        let best = best_threshold(&questions).unwrap();
        assert_eq!(
            best,
            Outcome {
                threshold: 6.0,
                right: 1,
                wrong: 1,
                declined_wrongly: 0,
                declined_rightly: 2,
                answered_wrongly: 0
            }
        );
        assert_eq!(best_threshold(&[]), None);
        let refused = Judged { is_refused: true, ..question(9.0, true, true) };
        assert_eq!(thresholds(&[refused])[0].declined_wrongly, 1);
    }
}
