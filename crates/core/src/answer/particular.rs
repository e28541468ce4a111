//! The particulars of a sentence: numbers, names, and what is written exactly, such as commands, paths and options. A
//! sentence may say what a passage says in other words, but not with other particulars.
//!
//! They are told by their form, without a dictionary: digits, capital letters, signs inside a word, marks of code. Texts are
//! compared as the keyword index compares words: in lower case and normal form NFKC.

use std::collections::HashSet;
use unicode_normalization::UnicodeNormalization;

/// Words for small numbers, which a passage may write with digits and an answer in letters, or the other way round.
const NUMBERS: [(&str, &[&str]); 13] = [
    ("2", &["two", "deux", "zwei"]),
    ("3", &["three", "trois", "drei"]),
    ("4", &["four", "quatre", "vier"]),
    ("5", &["five", "cinq", "fünf"]),
    ("6", &["six", "sechs"]),
    ("7", &["seven", "sept", "sieben"]),
    ("8", &["eight", "huit", "acht"]),
    ("9", &["nine", "neuf", "neun"]),
    ("10", &["ten", "dix", "zehn"]),
    ("11", &["eleven", "onze", "elf"]),
    ("12", &["twelve", "douze", "zwölf"]),
    ("100", &["hundred", "cent", "hundert"]),
    ("1000", &["thousand", "mille", "tausend"]),
];

/// Words for other numbers, which are compared as they are.
const OTHER_NUMBERS: [&str; 33] = [
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
    "twenty",
    "thirty",
    "forty",
    "fifty",
    "sixty",
    "seventy",
    "eighty",
    "ninety",
    "million",
    "billion",
    "treize",
    "quatorze",
    "quinze",
    "seize",
    "vingt",
    "trente",
    "quarante",
    "cinquante",
    "soixante",
    "dreizehn",
    "vierzehn",
    "fünfzehn",
    "zwanzig",
    "dreißig",
    "vierzig",
    "fünfzig",
];

/// Signs that stand around a word and not in it.
const AROUND: &[char] = &[
    '(', ')', '[', ']', '{', '}', '"', '\'', '“', '”', '„', '«', '»', '‘', '’', '*', '.', ',', ';', ':', '!', '?', '…',
    '>', '<', '|', '`',
];

/// Signs that make a word something that is written exactly.
const EXACT: &[char] = &['_', '=', '@', '$', '#', '~', '\\', '<', '>', '|', '+', '&', '^'];

/// Stands for a space that no line breaks at.
const NO_BREAK: char = '\u{1}';

/// Shortest part of a word with a hyphen that is compared as a whole: shorter ones are particles as a rule, as in `built-in`.
const MIN_PART: usize = 3;

/// What a particular is, which says where it ends.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Form {
    Number,
    Name,
    Exact,
}

/// A number, a name, or something that is written exactly.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Particular {
    /// As it stands in the sentence.
    pub text: String,
    form: Form,
    /// Its spellings, as [`normalized`] writes them.
    spellings: Vec<String>,
}

impl Particular {
    fn new(text: &str, form: Form) -> Self {
        let spelling = normalized(text);
        let mut spellings = vec![spelling.clone()];
        let parts: Vec<&str> = spelling.split('-').collect();
        if form != Form::Number && parts.len() > 1 && parts.iter().all(|part| is_word(part)) {
            spellings.extend([parts.join(" "), parts.concat()]);
        }
        let is_acronym = |text: &str| text.len() > 1 && text.chars().all(|letter| letter.is_ascii_uppercase());
        if is_acronym(text) {
            spellings.push(format!("{spelling}s"));
        } else if let Some(singular) = text.strip_suffix('s').filter(|singular| is_acronym(singular)) {
            spellings.push(normalized(singular));
        }
        for (digits, words) in NUMBERS {
            if spelling == digits || words.contains(&spelling.as_str()) {
                spellings = [digits].iter().chain(words).map(ToString::to_string).collect();
            }
        }
        Self { text: text.to_string(), form, spellings }
    }

    /// A name with a hyphen, such as `Hyper-V`, that only counts as a whole; `None` for any other word. `nouns_are_lower`
    /// says that the language writes ordinary nouns in lower case.
    pub fn hyphenated_name(word: &str, nouns_are_lower: bool) -> Option<Self> {
        let is_name = |part: &str| {
            let first = part.chars().next().is_some_and(char::is_uppercase);
            is_word(part)
                && (part.contains(char::is_numeric)
                    || part.chars().skip(1).any(char::is_uppercase)
                    || (first && (nouns_are_lower || part.chars().count() == 1)))
        };
        let parts: Vec<&str> = word.split(['-', '.']).collect();
        (parts.len() > 1 && parts.iter().all(|part| is_name(part))).then(|| Self::new(word, Form::Name))
    }

    /// Whether a text has it; the text is [`normalized`].
    pub fn is_in(&self, text: &str) -> bool {
        let stands = |spelling: &String| {
            text.match_indices(spelling.as_str())
                .any(|(at, _)| self.ends_there(&text[..at], &text[at + spelling.len()..]))
        };
        self.spellings.iter().any(stands)
    }

    /// Whether the particular ends between these texts, and is no part of something longer.
    fn ends_there(&self, before: &str, after: &str) -> bool {
        let last = before.chars().next_back();
        let (first, second) = (after.chars().next(), after.chars().nth(1));
        let inside =
            |sign: Option<char>, signs: &str| sign.is_some_and(|sign| sign.is_alphanumeric() || signs.contains(sign));
        let digit = |sign: Option<char>| sign.is_some_and(char::is_numeric);
        let goes_on = match self.form {
            Form::Name => inside(last, "") || inside(first, ""),
            Form::Number => {
                let decimal = |sign: Option<char>, signs: &str| sign.is_some_and(|sign| signs.contains(sign));
                inside(last, "")
                    || inside(first, "")
                    || (decimal(last, ".,") && digit(before.chars().rev().nth(1)))
                    || (decimal(first, ".,:") && digit(second))
            }
            Form::Exact => {
                let is_suffix = first == Some('.') && second.is_some_and(char::is_alphanumeric);
                inside(last, "-_") || inside(first, "-_") || is_suffix
            }
        };
        !goes_on
    }
}

fn is_word(part: &str) -> bool {
    !part.is_empty() && part.chars().all(char::is_alphanumeric)
}

/// A text in which particulars are looked for: lower case, normal form NFKC, one kind of hyphen and apostrophe, no invisible
/// characters, no separators of thousands, each run of white space as one space.
pub fn normalized(text: &str) -> String {
    let mut signs: Vec<char> = Vec::with_capacity(text.len());
    // Spaces that no line breaks at separate thousands, which those between words do not.
    let kept =
        text.chars().map(|sign| if matches!(sign, '\u{a0}' | '\u{2009}' | '\u{202f}') { NO_BREAK } else { sign });
    for sign in kept.nfkc() {
        match sign {
            '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2060}' | '\u{feff}' => {}
            '\u{2010}'..='\u{2015}' | '\u{2212}' => signs.push('-'),
            '’' | '‘' | 'ʼ' => signs.push('\''),
            _ if sign.is_whitespace() => signs.extend((signs.last() != Some(&' ')).then_some(' ')),
            _ => signs.extend(sign.to_lowercase()),
        }
    }
    let is_digit = |at: usize| signs.get(at).is_some_and(char::is_ascii_digit);
    // Three digits follow, and no more, as in 12,500.
    let separates = |at: usize| {
        matches!(signs[at], ',' | '\'' | NO_BREAK)
            && at > 0
            && is_digit(at - 1)
            && (at + 1..at + 4).all(is_digit)
            && !is_digit(at + 4)
    };
    let kept = (0..signs.len()).filter(|at| !separates(*at)).map(|at| signs[at]);
    kept.map(|sign| if sign == NO_BREAK { ' ' } else { sign }).collect()
}

/// The names in texts that are known as such, because they have a capital letter where no sentence begins, normalized.
pub fn names<'a>(texts: impl Iterator<Item = &'a str>) -> HashSet<String> {
    let mut names = HashSet::new();
    for text in texts {
        for (word, follows) in words(text) {
            if follows && word.starts_with(char::is_uppercase) {
                names.insert(normalized(word));
            }
        }
    }
    names
}

/// The particulars of a sentence, each once. With `capitals_are_names`, a word with a capital letter is a name where no
/// sentence begins, and at the beginning if it is one of `known`, see [`names`].
pub fn particulars(sentence: &str, capitals_are_names: bool, known: &HashSet<String>) -> Vec<Particular> {
    let (text, mut found) = without_code(sentence);
    for (word, follows) in words(&text) {
        if let Some(form) = form_of(word, follows, capitals_are_names, known) {
            found.push(Particular::new(word, form));
        }
    }
    let mut once: Vec<Particular> = Vec::new();
    for particular in found {
        if !once.contains(&particular) {
            once.push(particular);
        }
    }
    once
}

/// A sentence without its code, and the code: what stands between grave accents, and each line between fences.
fn without_code(sentence: &str) -> (String, Vec<Particular>) {
    let (mut text, mut code) = (String::new(), Vec::new());
    let mut is_fenced = false;
    for line in sentence.lines() {
        if line.trim_start().starts_with("```") {
            is_fenced = !is_fenced;
        } else if is_fenced {
            code.push(line.trim().to_string());
        } else {
            for (at, part) in line.split('`').enumerate() {
                if at % 2 == 1 {
                    code.push(part.trim().to_string());
                } else {
                    text.push_str(part);
                }
                text.push(' ');
            }
        }
    }
    let exact = code.iter().filter(|code| !code.is_empty()).map(|code| Particular::new(code, Form::Exact));
    (text, exact.collect())
}

/// The words of a text without the signs around them, each with whether it does not begin a sentence.
fn words(text: &str) -> impl Iterator<Item = (&str, bool)> {
    let mut follows = false;
    text.split_whitespace().flat_map(move |run| {
        let bare = run.trim_matches(AROUND);
        // An elided article is a word of its own; so is what stands after a name.
        let parts = bare.split(['\'', '’']).filter(|part| !part.is_empty());
        let parts: Vec<(&str, bool)> = parts.enumerate().map(|(at, part)| (part, follows || at > 0)).collect();
        if !bare.is_empty() && bare.chars().any(char::is_alphanumeric) {
            follows = !run.trim_end_matches(['"', '\'', '”', '’', '»', ')', '*']).ends_with(['.', '!', '?', '…', ':']);
        }
        parts
    })
}

fn form_of(word: &str, follows: bool, capitals_are_names: bool, known: &HashSet<String>) -> Option<Form> {
    let (has_digit, has_letter) = (word.contains(char::is_numeric), word.contains(char::is_alphabetic));
    if has_digit {
        // Signs such as that of a percentage are no part of a number.
        return Some(if has_letter || word.starts_with('-') || word.contains(['/', '_']) {
            Form::Exact
        } else {
            Form::Number
        });
    }
    if !has_letter {
        return None;
    }
    let lower = normalized(word);
    if NUMBERS.iter().any(|(_, words)| words.contains(&lower.as_str())) || OTHER_NUMBERS.contains(&lower.as_str()) {
        return Some(Form::Number);
    }
    let is_option = lower.starts_with('-') && lower.trim_start_matches('-').starts_with(char::is_alphanumeric);
    if is_option || word.contains(EXACT) || word.contains("::") || is_path(word) || is_file_name(word) {
        return Some(Form::Exact);
    }
    let is_code = word.chars().skip(1).any(char::is_uppercase);
    let first = word.chars().next().is_some_and(char::is_uppercase);
    if is_code || (first && capitals_are_names && word != "I" && (follows || known.contains(&lower))) {
        return Some(Form::Name);
    }
    let mut parts = lower.split('-');
    let is_compound = lower.contains('-') && parts.all(|part| is_word(part) && part.chars().count() >= MIN_PART);
    is_compound.then_some(Form::Name)
}

/// Whether a word is a path: two words with a slash between them, such as `and/or`, are none.
fn is_path(word: &str) -> bool {
    let parts: Vec<&str> = word.split('/').collect();
    parts.len() > 1
        && (parts.len() > 2 || !parts.iter().all(|part| part.chars().all(char::is_alphabetic)) || parts[0].is_empty())
}

/// Whether a word has a full stop inside: letters alone, as in `e.g`, are an abbreviation.
fn is_file_name(word: &str) -> bool {
    word.contains('.') && word.split('.').any(|part| part.chars().count() > 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn found(sentence: &str) -> Vec<String> {
        particulars(sentence, true, &HashSet::new()).into_iter().map(|particular| particular.text).collect()
    }

    #[test]
    fn numbers_names_and_what_is_written_exactly_are_particulars() {
        for (sentence, expected) in [
            ("The server listens on port 80.", vec!["80"]),
            ("Cats sleep for fourteen hours, or 12,500 minutes.", vec!["fourteen", "12,500"]),
            (
                "Then use Apache’s module with the option -l, e.g. in /etc/apt/sources.list!",
                vec!["Apache", "-l", "/etc/apt/sources.list"],
            ),
            (
                "Run `semodule  -l` and/or set MAX_SIZE=10 (see man.conf).",
                vec!["semodule  -l", "MAX_SIZE=10", "man.conf"],
            ),
            ("Use it:\n```bash\nrsync -a x y\n```", vec!["rsync -a x y"]),
            ("C’est l’outil d’Apache, et RIPv2 de PostgreSQL.", vec!["Apache", "RIPv2", "PostgreSQL"]),
            ("The apt-file tool is built-in, i.e. I like it.", vec!["apt-file"]),
            ("Write to a@b.example at 10:30 for 50 %.", vec!["a@b.example", "10:30", "50"]),
            ("Nothing here is one.", vec![]),
            ("", vec![]),
        ] {
            assert_eq!(found(sentence), expected, "{sentence}");
        }
    }

    #[test]
    fn capitals_tell_a_name_where_the_language_and_the_place_allow_it() {
        let known = names(["We use the tool Webmin here.", "Stop it."].into_iter());
        assert_eq!(known, HashSet::from(["webmin".to_string()]));
        let texts = |sentence, capitals| -> Vec<String> {
            particulars(sentence, capitals, &known).into_iter().map(|particular| particular.text).collect()
        };
        assert_eq!(texts("Webmin stops. Stop the Server.", true), ["Webmin", "Server"]);
        assert_eq!(texts("Stop den Server mit PostgreSQL.", false), ["PostgreSQL"]);
    }

    #[test]
    fn a_particular_is_found_as_a_whole() {
        let is_in = |particular: &str, text: &str| {
            let found = particulars(&format!("the {particular}"), true, &HashSet::new());
            assert_eq!(found.len(), 1, "{particular}");
            found[0].is_in(&normalized(text))
        };
        for (particular, text) in [
            ("80", "port 80."),
            ("80", "(80)"),
            ("12,500", "12\u{202f}500 lines"),
            ("12500", "12,500"),
            ("two", "2 disks"),
            ("3", "trois disques"),
            ("Hyper-V", "hyper v"),
            ("Wi-Fi", "WiFi"),
            ("VPNs", "a VPN"),
            ("sources.list", "/etc/apt/sources.list"),
            ("-l", "semodule -l"),
            ("Straße", "STRAẞE"),
            ("ﬁle.txt", "file.txt"),
            ("dpkg‑query", "dpkg-query"),
        ] {
            assert!(is_in(particular, text), "{particular} in {text}");
        }
        for (particular, text) in [
            ("80", "8080"),
            ("80", "80.5"),
            ("5", "80.5"),
            ("8", "8.1"),
            ("Exim", "Exim4"),
            ("-l", "--list -la"),
            ("sources.list", "sources.list.d"),
            ("Hyper-V", "Hyper or V"),
            ("apt-get", "apt-file and get"),
        ] {
            assert!(!is_in(particular, text), "{particular} in {text}");
        }
    }

    #[test]
    fn a_name_with_a_hyphen_counts_as_a_whole_and_an_ordinary_word_does_not() {
        for (word, lower, expected) in [
            ("Hyper-V", true, true),
            ("RAID-1", true, true),
            ("Debian-based", true, false),
            ("apt-file", true, false),
            ("Debian-Server", false, false),
            ("RAID-1", false, true),
            ("Hyper", true, false),
            ("Node.JS", true, true),
        ] {
            assert_eq!(Particular::hyphenated_name(word, lower).is_some(), expected, "{word}");
        }
    }

    proptest! {
        #[test]
        fn a_sentence_has_its_own_particulars(sentence in "[A-Za-z0-9é’'`./_,: -]{0,80}") {
            for particular in particulars(&sentence, true, &HashSet::new()) {
                prop_assert!(normalized(&sentence).contains(&normalized(&particular.text)), "{:?}", particular);
            }
        }
    }
}
