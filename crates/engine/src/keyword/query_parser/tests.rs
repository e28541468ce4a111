//! How each syntax is parsed.

use super::*;

fn list(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_string()).collect()
}

fn natural(query: &str) -> ParsedQuery {
    parse(query, QuerySyntax::Natural)
}

fn operators(query: &str) -> ParsedQuery {
    parse(query, QuerySyntax::Operators)
}

fn word_texts(parsed: ParsedQuery) -> Vec<String> {
    parsed.words.into_iter().map(|word| word.text).collect()
}

#[test]
fn operators_are_read() {
    let parsed = operators("restaurer \"Point de Reprise\" -brouillon -\"très vieux\" sauve* +Serveurs");
    assert_eq!(word_texts(parsed.clone()), ["restaurer", "serveurs"]);
    assert_eq!(parsed.phrases, [list(&["point", "de", "reprise"])]);
    assert_eq!(parsed.excluded, [list(&["brouillon"]), list(&["très", "vieux"])]);
    assert_eq!(parsed.prefixes, ["sauve"]);
    assert_eq!(parsed.required, ["serveurs"]);
    assert_eq!(operators("a «b c»").phrases, [list(&["b", "c"])]);
}

#[test]
fn a_phrase_within_a_natural_query_is_preferred() {
    let parsed = natural("what is the \"state of the art\" of disks");
    assert_eq!(parsed.preferred, [list(&["state", "of", "the", "art"])]);
    assert!(parsed.phrases.is_empty() && parsed.words.iter().any(|word| word.text == "art"));
    for whole in ["\"state of the art\"", " “state of the art” ", "„state of the art“", "«state of the art»"]
    {
        assert_eq!(natural(whole).phrases, [list(&["state", "of", "the", "art"])], "{whole}");
    }
    for inches in ["5\" disk or 3\" disk", "a 5\" disk", "rock 'n' roll \"open"] {
        assert_eq!((natural(inches).preferred, natural(inches).phrases), (vec![], vec![]), "{inches}");
    }
}

#[test]
fn only_words_at_the_end_of_a_natural_query_are_excluded() {
    assert_eq!(natural("backup -windows").excluded_unless_option, ["windows"]);
    assert_eq!(natural("backup -windows -macos ").excluded_unless_option, ["windows", "macos"]);
    assert_eq!(natural("backup -\"old disks\" of servers").excluded, [list(&["old", "disks"])]);
    for text in [
        "java -Xmx512m",
        "tar -xzf agent.tar.gz",
        "git commit --amend",
        "Error: -ERR-1234",
        "C++ -C#",
        "-windows",
        "rm -rf",
        "find -name report",
        "-10 °C",
        "a - b",
    ] {
        let parsed = natural(text);
        assert!(parsed.excluded.is_empty() && parsed.excluded_unless_option.is_empty(), "{text}");
    }
    assert_eq!(word_texts(natural("tar -xzf")), ["tar", "xzf", "-xzf"]);
}

#[test]
fn plain_text_has_no_operators() {
    let parsed = parse("\"point de reprise\" -brouillon sauve*", QuerySyntax::Plain);
    assert_eq!(word_texts(parsed.clone()), ["point", "de", "reprise", "brouillon", "-brouillon", "sauve"]);
    assert!(parsed.phrases.is_empty() && parsed.excluded.is_empty() && parsed.prefixes.is_empty());
}

#[test]
fn everything_else_is_text() {
    for parse in [natural, operators] {
        assert_eq!(word_texts(parse("a:b AND (c or NOT d*)")), ["a:b", "a", "b", "and", "c", "or", "not", "d"]);
        assert_eq!(word_texts(parse("e-mail - x -5 \"open")), ["email", "e", "mail", "x", "5", "open"]);
        assert_eq!(parse("well-known").excluded, Vec::<Vec<String>>::new());
        assert_eq!(parse("* ** -* \"\" -\"\" \"!\" - -").words, []);
        assert!(parse("\"\" -\"-\" ''").phrases.is_empty());
    }
}

#[test]
fn words_are_counted_once() {
    let parsed = natural("wal wal WAL log");
    assert_eq!(parsed.words.iter().map(|word| word.count).collect::<Vec<_>>(), [3, 1]);
}

#[test]
fn hostile_queries_are_bounded() {
    for parse in [natural, operators] {
        assert_eq!(parse(&"(".repeat(10_000)), ParsedQuery::default());
        assert_eq!(word_texts(parse(&"NOT ".repeat(10_000))), ["not"]);
        assert!(word_texts(parse(&"\"".repeat(100_000))).is_empty());
        let quotes = parse(&"\"a ".repeat(100_000));
        assert!(quotes.phrases.len() <= MAX_OPERATORS && quotes.preferred.len() <= MAX_OPERATORS);
        assert!(parse(&"-\"a ".repeat(100_000)).excluded.len() <= MAX_OPERATORS);
        assert!(parse(&"x -windows".repeat(100_000)).excluded.len() <= MAX_OPERATORS);
        assert!(parse(&("x".to_string() + &" -windows".repeat(100_000))).excluded_unless_option.len() <= MAX_OPERATORS);
        assert!(parse(&"ab* ".repeat(100_000)).prefixes == ["ab"]);
        let many: String = (0..150_000).map(|number| format!("w{number} ")).collect();
        let words = parse(&many).words;
        assert_eq!(words.iter().filter(|word| word.form == WordForm::Piece).count(), MAX_QUERY_WORDS);
        assert!(words.len() <= MAX_SPELLINGS);
        assert_eq!(parse(&format!("\"{}\"", "a ".repeat(500_000))).phrases[0].len(), MAX_PHRASE_WORDS);
    }
}

#[test]
fn what_is_beyond_the_limits_is_counted() {
    let name =
        |number: usize| char::from(b'a' + u8::try_from(number % 26).unwrap()).to_string().repeat(1 + number / 26);
    let many: String = (0..MAX_QUERY_WORDS).map(|number| format!("{} ", name(number))).collect();
    let left_out = |query: &str| operators(query).left_out;
    // Words of more than 64 letters are cut, so that there are fewer.
    let count = operators(&many).words.len();
    let more: String = (0..=MAX_QUERY_WORDS).map(|number| format!("{number}é{number} ")).collect();
    assert!(count <= MAX_QUERY_WORDS && left_out(&more).words > 0);
    let operators: String =
        (0..=MAX_OPERATORS).map(|number| format!("\"a b{number}\" -c{number} dd{number}* ")).collect();
    assert_eq!(left_out(&operators).operators, 3);
    let phrase = format!("\"{}\" -\"{}\"", "a ".repeat(MAX_PHRASE_WORDS + 1), "b ".repeat(MAX_PHRASE_WORDS + 2));
    assert_eq!(left_out(&phrase), QueryTruncation { phrase_words: 3, ..QueryTruncation::default() });
}

#[test]
fn one_of_several_can_be_required() {
    let words = |texts: &[&str]| Clause { form: ClauseForm::Words, words: list(texts), part: None };
    let phrase = |texts: &[&str], slop| Clause { form: ClauseForm::Phrase(slop), words: list(texts), part: None };
    let parsed = operators("backup (WAL OR \"point in time\" OR e-mail) -old");
    assert_eq!(parsed.any_of, [[words(&["wal"]), phrase(&["point", "in", "time"], 0), words(&["e", "mail"])]]);
    assert_eq!(parsed.excluded, [list(&["old"])]);
    assert_eq!(word_texts(parsed), ["backup", "wal", "email", "e", "mail"]);
    assert_eq!(operators("\"base backup\"~4").any_of, [[phrase(&["base", "backup"], 4)]]);
    assert_eq!(operators("a OR b c OR d").any_of.len(), 2);
    for text in ["OR", "a OR", "OR b", "a OR -b", "a OR b*", "a or b", "a OR ("] {
        assert_eq!(operators(text).any_of, Vec::<Vec<Clause>>::new(), "{text}");
    }
    let parsed = operators("alpha -(one OR \"two three\" OR four) beta");
    assert_eq!(parsed.excluded, [list(&["one"]), list(&["two", "three"]), list(&["four"])]);
    assert!(parsed.any_of.is_empty() && word_texts(parsed) == ["alpha", "beta"]);
    assert_eq!(operators("alpha -(gamma)").excluded, [list(&["gamma"])]);
    assert_eq!(operators("alpha -(gamma OR").excluded, Vec::<Vec<String>>::new());
    assert_eq!(operators("\"cat cat\"~5").any_of, [[phrase(&["cat", "cat"], 0)]]);
    for empty in ["\"\"~3 gamma", "\"!!!\"~3 gamma"] {
        assert_eq!((operators(empty).any_of, word_texts(operators(empty))), (vec![], list(&["gamma"])), "{empty}");
    }
    assert!(natural("a OR b").any_of.is_empty());
    assert!(operators(&"a OR ".repeat(100_000)).any_of[0].len() <= MAX_OPERATORS);
    assert!(operators(&"a OR b ".repeat(100_000)).any_of.len() <= MAX_OPERATORS);
}

#[test]
fn words_and_phrases_can_be_required_in_one_part() {
    let clause = |form, texts: &[&str], part| Clause { form, words: list(texts), part: Some(part) };
    let title = |texts: &[&str]| clause(ClauseForm::Words, texts, Part::Title);
    let parsed = operators("tape title:backup heading:\"two words\"~3 -content:old title:ba*");
    let near = clause(ClauseForm::Phrase(3), &["two", "words"], Part::Headings);
    let prefix = clause(ClauseForm::Prefix, &["ba"], Part::Title);
    assert_eq!(parsed.any_of, [vec![title(&["backup"])], vec![near], vec![prefix]]);
    assert_eq!(parsed.excluded_in_part, [clause(ClauseForm::Words, &["old"], Part::Content)]);
    assert!(parsed.excluded.is_empty() && parsed.required.is_empty() && parsed.prefixes.is_empty());
    assert_eq!(word_texts(parsed), ["tape"], "what is looked for in one part counts there alone");
    let either = Clause { form: ClauseForm::Words, words: list(&["b"]), part: None };
    assert_eq!(operators("(title:a OR b)").any_of, [[title(&["a"]), either]]);
    let parsed = operators("x -(title:a OR \"b c\") -title:e-mail");
    let code = clause(ClauseForm::Phrase(0), &["e", "mail"], Part::Title);
    assert_eq!(parsed.excluded_in_part, [title(&["a"]), code]);
    assert_eq!((parsed.excluded.clone(), word_texts(parsed)), (vec![list(&["b", "c"])], list(&["x"])));
    // Shorter than a prefix may be, the word alone.
    assert_eq!(operators("title:b*").any_of, [[title(&["b"])]]);
    for text in ["http://title", "std::vector", "title:", "subject:a", "title: a", "title::a"] {
        let parsed = operators(text);
        assert!(parsed.any_of.is_empty() && !parsed.words.is_empty(), "{text}");
    }
    assert!(natural("title:a").any_of.is_empty());
    assert!(operators(&"title:a ".repeat(100_000)).any_of.len() <= MAX_OPERATORS);
    assert!(operators(&"-title:a ".repeat(100_000)).excluded_in_part.len() <= MAX_OPERATORS);
}
