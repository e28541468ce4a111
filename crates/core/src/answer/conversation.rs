//! Earlier turns of a conversation, and questions that cannot be understood without them: `How long does it take?` is asked
//! with the words of the question before.
//!
//! A rule of thumb for English, French and German, from words alone. A generator does it better; what it writes is checked
//! here, and where it is of no use, the rule is applied.

use super::on_one_line;
use super::particular::{normalized, particulars};
use crate::generator::MessageRole;
use crate::{Error, Kind, Result};
use serde::Deserialize;
use std::collections::HashSet;

/// Most turns, and most bytes of all together: a context of 8,000 tokens has about as many.
const MAX_TURNS: usize = 100;
const MAX_BYTES: usize = 32_000;

/// Earlier questions whose words are added at most, and words.
const MAX_QUESTIONS: usize = 3;
const MAX_WORDS: usize = 24;

/// Last turns that a generator is shown, and characters of each.
const SHOWN_TURNS: usize = 6;
const SHOWN_CHARACTERS: usize = 600;

/// Longest question that a generator may write, in bytes.
const MAX_QUESTION: usize = 400;

/// Words that refer to something said before.
const REFERENCES: [&str; 46] = [
    "it", "they", "them", "he", "she", "him", "this", "these", "those", "former", "latter", "same", "lui", "celui",
    "celle", "ceux", "celles", "cela", "ça", "ceci", "cette", "cet", "ces", "er", "sie", "es", "ihn", "ihm", "ihnen",
    "dies", "diese", "dieser", "dieses", "diesem", "diesen", "dafür", "damit", "davon", "darauf", "darin", "dazu",
    "daran", "dabei", "dort", "dadurch", "dessen",
];

/// Words that do so where the question says little else: they often refer to a word of the question itself.
const WEAK_REFERENCES: [&str; 16] = [
    "its", "his", "her", "their", "that", "there", "one", "il", "elle", "ils", "elles", "leur", "y", "ihr", "ihre",
    "das",
];

/// First words of a question that goes on with what was said.
const CONTINUATIONS: [&str; 12] =
    ["and", "or", "but", "so", "et", "ou", "mais", "alors", "und", "oder", "aber", "sondern"];

/// Verbs without which a question of one word is incomplete.
const VERBS: [&str; 18] = [
    "is", "are", "was", "were", "does", "do", "did", "can", "est", "sont", "était", "peut", "fait", "ist", "sind",
    "war", "kann", "macht",
];

/// Words that tell nothing of what a question is about, besides those above.
const FUNCTION_WORDS: [&str; 145] = [
    "a", "about", "above", "after", "all", "also", "am", "an", "any", "as", "at", "be", "been", "before", "by",
    "could", "for", "from", "had", "has", "have", "how", "i", "if", "in", "into", "me", "much", "many", "must", "my",
    "need", "not", "of", "on", "our", "out", "please", "shall", "should", "some", "tell", "than", "the", "then", "to",
    "us", "use", "want", "we", "what", "when", "where", "which", "while", "who", "whom", "whose", "why", "will",
    "with", "would", "you", "your", "au", "aux", "avec", "ce", "ces", "combien", "comment", "d", "dans", "de", "des",
    "dois", "donc", "du", "en", "faut", "je", "l", "la", "le", "les", "ma", "mes", "mon", "n", "ne", "nous", "on",
    "où", "par", "pas", "peux", "plus", "pour", "pourquoi", "qu", "quand", "que", "quel", "quelle", "quelles", "quels",
    "qui", "quoi", "s", "sa", "ses", "si", "son", "sur", "t", "un", "une", "vous", "auf", "aus", "bei", "den", "dem",
    "der", "die", "ein", "eine", "einen", "einem", "einer", "für", "ich", "im", "mit", "nach", "von", "wann", "warum",
    "was", "welche", "wer", "wie", "wo", "zu", "zum",
];

/// A turn of a conversation.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Turn {
    /// User or assistant.
    pub role: MessageRole,
    /// What was said.
    pub content: String,
}

#[derive(Deserialize)]
struct WrittenTurn {
    role: String,
    content: String,
}

/// Reads a conversation from a JSON array of objects with `role` and `content`, the first turn first.
///
/// # Errors
/// `InvalidArgument` for anything else, and for other roles than `user` and `assistant`; `InputTooLong`.
pub fn turns(json: &str) -> Result<Vec<Turn>> {
    const HINT: &str = "It looks like [{\"role\": \"user\", \"content\": \"…\"}, {\"role\": \"assistant\", \"content\": \"…\"}], the last turn last, without the question itself.";
    // A character takes up to six bytes as JSON.
    let written: Vec<WrittenTurn> = if json.len() > 8 * MAX_BYTES {
        return Err(too_long(format!("conversation has {} bytes", json.len())));
    } else {
        serde_json::from_str(json).map_err(|error| {
            Error::new(Kind::InvalidArgument, "conversation must be an array of objects with role and content")
                .detail(format!("{error}."))
                .hint(HINT)
        })?
    };
    let bytes: usize = written.iter().map(|turn| turn.content.len()).sum();
    if written.len() > MAX_TURNS || bytes > MAX_BYTES {
        return Err(too_long(format!("conversation has {} turns and {bytes} bytes", written.len())));
    }
    let turn = |turn: WrittenTurn| match MessageRole::parse(&turn.role) {
        Some(role @ (MessageRole::User | MessageRole::Assistant)) => Ok(Turn { role, content: turn.content }),
        _ => Err(Error::new(Kind::InvalidArgument, "the role of a turn must be \"user\" or \"assistant\"")
            .hint("Instructions belong to a template: see socle.create_prompt_template().")),
    };
    written.into_iter().map(turn).collect()
}

fn too_long(message: String) -> Error {
    Error::new(Kind::InputTooLong, format!("{message}, the limit is {MAX_TURNS} and {MAX_BYTES}"))
        .hint("Pass the last turns only.")
}

/// The question with the words of earlier questions that it refers to; `None` if it can be understood alone.
pub fn by_rule(question: &str, turns: &[Turn]) -> Option<String> {
    if !is_follow_up(question) {
        return None;
    }
    let mut earlier: Vec<&str> = Vec::new();
    for turn in turns.iter().rev().filter(|turn| turn.role == MessageRole::User) {
        earlier.push(&turn.content);
        if earlier.len() == MAX_QUESTIONS || !is_follow_up(&turn.content) {
            break;
        }
    }
    let mut known: HashSet<String> = words(question).map(normalized).collect();
    let mut added: Vec<String> = Vec::new();
    for question in earlier.into_iter().rev() {
        for (at, word) in words(question).enumerate() {
            if added.len() < MAX_WORDS && is_content(word) && known.insert(normalized(word)) {
                // A capital letter at the beginning is that of the sentence.
                let is_name = at > 0 || word.chars().skip(1).any(|sign| sign.is_uppercase() || sign.is_numeric());
                added.push(if is_name { word.to_string() } else { word.to_lowercase() });
            }
        }
    }
    (!added.is_empty()).then(|| format!("{} ({})", question.trim(), added.join(" ")))
}

/// Whether a question cannot be understood alone.
pub fn is_follow_up(question: &str) -> bool {
    let spoken: Vec<&str> = words(question).collect();
    let lower: Vec<String> = spoken.iter().map(|word| word.to_lowercase()).collect();
    let content = spoken.iter().filter(|word| is_content(word)).count();
    let has = |list: &[&str]| lower.iter().any(|word| list.contains(&word.as_str()));
    let refers = |at: usize| {
        let before = at.checked_sub(1).map_or("", |before| lower[before].as_str());
        match lower[at].as_str() {
            // In German, the formal address.
            "sie" if at > 0 && spoken[at] == "Sie" => false,
            "es" if before == "gibt" => false,
            word => REFERENCES.contains(&word),
        }
    };
    let refers_weakly = |at: usize| {
        let before = at.checked_sub(1).map_or("", |before| lower[before].as_str());
        let is_impersonal = matches!((before, lower[at].as_str()), ("is" | "are" | "was", "there") | ("faut", "il"));
        content <= 2 && !is_impersonal && WEAK_REFERENCES.contains(&lower[at].as_str())
    };
    lower.first().is_some_and(|first| CONTINUATIONS.contains(&first.as_str()))
        || lower.windows(2).any(|pair| matches!(pair[0].as_str(), "what" | "how") && pair[1] == "about")
        || (0..lower.len()).any(|at| refers(at) || refers_weakly(at))
        || content == 0
        || (content == 1 && !has(&VERBS))
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    // Hyphens separate pronouns from verbs in French; within names they stay.
    let runs = text.split(|sign: char| !(sign.is_alphanumeric() || matches!(sign, '-' | '_' | '.' | '/')));
    let words = runs.flat_map(|run| {
        let bare = run.trim_matches(['-', '.', '/']);
        let is_inversion = bare.rsplit_once('-').is_some_and(|(_, last)| is_function_word(&last.to_lowercase()));
        let parts: Vec<&str> = if is_inversion { bare.split('-').collect() } else { vec![bare] };
        parts
    });
    words.filter(|word| !word.is_empty())
}

fn is_function_word(lower: &str) -> bool {
    [&REFERENCES[..], &WEAK_REFERENCES, &CONTINUATIONS, &VERBS, &FUNCTION_WORDS]
        .iter()
        .any(|list| list.contains(&lower))
}

fn is_content(word: &str) -> bool {
    !is_function_word(&word.to_lowercase())
}

/// The messages with which a generator is asked for the question as it can be understood alone.
pub fn rewriting(question: &str, turns: &[Turn]) -> Vec<(MessageRole, String)> {
    let shown = &turns[turns.len().saturating_sub(SHOWN_TURNS)..];
    let spoken = |turn: &Turn| {
        let content: String = on_one_line(&turn.content).chars().take(SHOWN_CHARACTERS).collect();
        format!("{}: {content}\n", if turn.role == MessageRole::User { "User" } else { "Assistant" })
    };
    let asked = |talk: &str, question: &str| format!("{talk}Last question: {}", on_one_line(question));
    let system = "You rewrite the last question of a conversation, so that it can be understood without the conversation. \
                  Keep its language. Write the question and nothing else, and do not answer it.";
    let example = "User: When does the library open?\nAssistant: The library opens at nine.\n";
    vec![
        (MessageRole::System, system.to_string()),
        (MessageRole::User, asked(example, "And when does it close?")),
        (MessageRole::Assistant, "When does the library close?".to_string()),
        (MessageRole::User, asked(&shown.iter().map(spoken).collect::<String>(), question)),
    ]
}

/// A question that a generator has written instead of another, if it is of use: one line that is not too long, with the words
/// of the question and one at least of what was said before, without a number, name or code that was not said.
pub fn checked(written: &str, question: &str, turns: &[Turn]) -> Option<String> {
    let written = written.trim().trim_matches('"');
    if written.is_empty() || written.contains('\n') || written.len() > MAX_QUESTION {
        return None;
    }
    let content =
        |text: &str| -> HashSet<String> { words(text).filter(|word| is_content(word)).map(normalized).collect() };
    let (new, own) = (content(written), content(question));
    let is_known = |word: &String| turns.iter().any(|turn| content(&turn.content).contains(word));
    if !own.is_subset(&new) || !new.difference(&own).any(is_known) {
        return None;
    }
    let said = turns.iter().map(|turn| turn.content.as_str()).chain([question]).collect::<Vec<_>>().join("\n");
    let said = normalized(&said);
    let is_said = particulars(written, true, &HashSet::new()).iter().all(|particular| particular.is_in(&said));
    is_said.then(|| written.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn conversation(turns: &[(MessageRole, &str)]) -> Vec<Turn> {
        turns.iter().map(|(role, content)| Turn { role: *role, content: (*content).to_string() }).collect()
    }

    #[test]
    fn questions_that_refer_to_something_are_told_from_others() {
        for question in [
            "How long does it take?",
            "And on Debian?",
            "What about RAID-1?",
            "Why?",
            "Which port?",
            "Where is that?",
            "Is there one?",
            "Où est-il ?",
            "Combien coûte-t-elle ?",
            "Comment faire cela ?",
            "Et pour PostgreSQL ?",
            "Wie lange dauert es?",
            "Wozu brauche ich dieses Programm?",
            "",
        ] {
            assert!(is_follow_up(question), "{question}");
        }
        for question in [
            "How do I restore a backup?",
            "What is a VPN?",
            "Is there a way to restore a single table?",
            "Which file lists the package sources that APT uses?",
            "How does a user change their own password?",
            "Sur quel port le serveur web écoute-t-il par défaut ?",
            "Qui a créé le projet Debian ?",
            "Comment faut-il sauvegarder un serveur ?",
            "Wie stellen Sie ein Backup wieder her?",
            "Gibt es einen Port für Webmin?",
        ] {
            assert!(!is_follow_up(question), "{question}");
        }
    }

    #[test]
    fn a_follow_up_has_the_words_of_the_questions_before() {
        let said = conversation(&[
            (MessageRole::User, "What is the capital of France?"),
            (MessageRole::Assistant, "Paris."),
            (MessageRole::User, "How do I restore a backup of PostgreSQL on Debian?"),
            (MessageRole::Assistant, "Stop the server."),
            (MessageRole::User, "And which files are needed?"),
        ]);
        assert_eq!(
            by_rule("How long does it take?", &said[..4]).unwrap(),
            "How long does it take? (restore backup PostgreSQL Debian)"
        );
        let all = by_rule("Why?", &said).unwrap();
        assert!(all.starts_with("Why? (restore backup") && all.contains("files") && !all.contains("France"), "{all}");
        assert_eq!(by_rule("How do I restore a backup?", &said), None);
        assert_eq!(by_rule("Why?", &[]), None);
        assert_eq!(by_rule("Why?", &conversation(&[(MessageRole::Assistant, "Hello backup")])), None);
        let long = conversation(&[(MessageRole::User, &(0..100).map(|at| format!("word{at} ")).collect::<String>())]);
        assert_eq!(by_rule("Why?", &long).unwrap().split_whitespace().count(), 1 + MAX_WORDS);
    }

    #[test]
    fn a_conversation_is_checked() {
        assert_eq!(
            turns(r#"[{"role": "user", "content": "a"}, {"role": "assistant", "content": "é", "name": "x"}]"#).unwrap(),
            conversation(&[(MessageRole::User, "a"), (MessageRole::Assistant, "é")])
        );
        assert_eq!(turns("[]").unwrap(), []);
        let kind = |json: &str| turns(json).unwrap_err().kind;
        for json in [
            "{}",
            "1",
            "null",
            "[1]",
            r#"[{"role": "user"}]"#,
            r#"[{"role": "user", "content": 1}]"#,
            r#"[{"role": "system", "content": "obey"}]"#,
            r#"[{"role": "tool", "content": "x"}]"#,
        ] {
            assert_eq!(kind(json), Kind::InvalidArgument, "{json}");
        }
        let turn = |content: &str| format!(r#"{{"role": "user", "content": "{content}"}}"#);
        assert_eq!(kind(&format!("[{}]", turn(&"x".repeat(MAX_BYTES + 1)))), Kind::InputTooLong);
        assert_eq!(kind(&format!("[{}]", vec![turn("x"); MAX_TURNS + 1].join(","))), Kind::InputTooLong);
        assert_eq!(kind(&"[".repeat(9 * MAX_BYTES)), Kind::InputTooLong);
    }

    #[test]
    fn what_a_generator_writes_is_a_question_of_the_same_things_or_of_no_use() {
        let said = conversation(&[
            (MessageRole::User, "How do I restore a backup of PostgreSQL 17?"),
            (MessageRole::Assistant, "Stop it."),
        ]);
        let check = |written| checked(written, "And on Debian?", &said);
        assert_eq!(
            check(" \"How do I restore PostgreSQL 17 on Debian?\"\n").unwrap(),
            "How do I restore PostgreSQL 17 on Debian?"
        );
        for written in [
            "",
            "One line\nand another.",
            "How do I restore PostgreSQL 16 on Debian?",
            "How is Oracle restored on Debian?",
            "How do I restore PostgreSQL?",
            "And on Debian?",
            "What is it?",
        ] {
            assert_eq!(check(written), None, "{written}");
        }
        assert_eq!(check(&"word ".repeat(100)), None);
        let messages = rewriting("And on\nDebian?", &said);
        assert!(messages[3].1.ends_with("Assistant: Stop it.\nLast question: And on Debian?"));
        assert!(
            rewriting("x", &vec![Turn { role: MessageRole::User, content: "y".repeat(5000) }; 50])[3].1.len() < 5000
        );
    }
}
