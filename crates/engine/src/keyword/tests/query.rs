//! How queries are read: natural syntax, languages, stop words, spellings, corrections, compounds.

use super::*;

fn natural(segments: &[Arc<Segment>], query: &str) -> Vec<i64> {
    let request = SearchRequest { syntax: QuerySyntax::Natural, ..request(query) };
    ask(segments, &request).hits.into_iter().map(|(chunk_id, _)| chunk_id).collect()
}

#[test]
fn quotation_marks_and_hyphens_of_natural_queries_hide_nothing() {
    let segments = [segment(
        Some("english"),
        &[
            (1, "write ahead log"),
            (2, "ahead of the log they write"),
            (3, "a log of disks"),
            (4, "a 5 inch disk of java"),
        ],
    )];
    assert_eq!(natural(&segments, "log \"write ahead\"")[0], 1);
    assert_eq!(natural(&segments, "\"ahead of the log\" write").len(), 3, "a phrase is preferred");
    assert_eq!(natural(&segments, "\"ahead of the log\" write")[0], 2);
    assert_eq!(natural(&segments, "“write ahead log”"), [1]);
    assert_eq!(natural(&segments, "5\" disk or 3\" disk")[0], 4);
    assert_eq!(natural(&segments, "java -Xmx512m"), [4]);
    assert_eq!(natural(&segments, "log -ahead"), [3]);
    let commands = [segment(Some("english"), &[(1, "java prints this with -version"), (2, "java prints nothing")])];
    assert_eq!(natural(&commands, "java -version"), [1, 2], "an option that the index has");
    assert_eq!(natural(&commands, "java --version")[0], 1);
    assert_eq!(natural(&commands, "java -nothing"), [1]);
    let preferred = SearchRequest { syntax: QuerySyntax::Natural, limit: 1, ..request("disk \"log of disks\"") };
    assert_eq!(ask(&segments, &preferred).hits[0].0, 3);
}

#[test]
fn a_word_is_found_whatever_its_language() {
    let mut texts: Vec<(i64, String)> =
        (0..500).map(|id| (id, format!("the connections of server number {id}"))).collect();
    texts.push((1000, "Die Rechnungen liegen im Schrank, und der Schlüssel hängt daneben an der Wand".into()));
    texts.push((1001, "Книги лежат на столе, потому что читатель ещё не вернулся из города домой".into()));
    let texts: Vec<(i64, &str)> = texts.iter().map(|(id, text)| (*id, text.as_str())).collect();
    let segments = [segment(None, &texts)];
    assert_eq!(natural(&segments, "Rechnungen"), [1000]);
    assert_eq!(natural(&segments, "Книги"), [1001]);
    assert_eq!(natural(&segments, "книг"), [1001], "in the language of its script");
    assert_eq!(natural(&segments, "und"), [1000], "a stop word of that language");
}

#[test]
fn a_code_finds_its_other_spellings_and_no_other_code() {
    let texts = [
        (1, "ISO 27001 holds"),
        (2, "the ISO27001 audit"),
        (3, "ISO 9001 holds"),
        (4, "iso27002"),
        (5, "word59 word60"),
    ];
    let (apart, whole): (Vec<_>, Vec<_>) =
        (texts.iter().map(|text| segment(Some("english"), &[*text])).collect(), vec![segment(Some("english"), &texts)]);
    for segments in [apart, whole] {
        let sorted = |query: &str| {
            let mut found = natural(&segments, query);
            found.sort_unstable();
            found
        };
        assert_eq!(sorted("ISO27001"), [1, 2]);
        assert_eq!(natural(&segments, "ISO 27001")[..2].iter().copied().max(), Some(2));
        assert_eq!(sorted("iso27003"), Vec::<i64>::new());
        assert_eq!(sorted("word59"), [5]);
        assert_eq!(sorted("word61"), Vec::<i64>::new());
    }
}

#[test]
fn stop_words_alone_are_found() {
    let texts =
        [(1, "Our IT answers calls"), (2, "is it late"), (3, "vitamin D in winter"), (4, "vitamin C"), (5, "l'été")];
    let segments = [segment(Some("english"), &texts[..4]), segment(Some("french"), &texts[4..])];
    assert_eq!(natural(&segments, "IT")[0], 1);
    assert_eq!(natural(&segments, "vitamin D")[0], 3);
    assert_eq!(natural(&segments, "été"), [5]);
}

#[test]
fn misspelt_words_are_corrected_and_known_ones_left_alone() {
    let texts = [
        (1, "restore a backup"),
        (2, "the maintenance window"),
        (3, "a cable"),
        (4, "many tables"),
        (5, "hidden restoration"),
    ];
    let segments = [segment(Some("english"), &texts)];
    assert_eq!(natural(&segments, "restroe")[0], 1);
    assert_eq!(natural(&segments, "maintenence"), [2]);
    assert_eq!(natural(&segments, "table"), [4]);
    assert_eq!(natural(&segments, "qzx wxyz 12345"), Vec::<i64>::new());
    let found = ask(&segments, &request("restroe tables"));
    assert_eq!(found.corrections, [("restroe".to_string(), vec!["restore".to_string()])]);
    let long = (0..40).fold("restroe".to_string(), |query, number| format!("{query} unknown{number}"));
    assert_eq!(ask(&segments, &request(&long)).corrections, [], "a text is not corrected");
    // Whether chunks that may not be hits have the word changes nothing.
    let hidden = [segment(Some("english"), &[(6, "restroe restoration")])];
    let with_hidden: Vec<_> = segments.iter().chain(&hidden).cloned().collect();
    let mine = SearchRequest { restrict: Some(vec![1, 2, 3, 4, 5]), ..request("restroe") };
    assert_eq!(ask(&with_hidden, &mine).corrections.len(), 1);
    assert_eq!(ask(&with_hidden, &mine).hits.len(), ask(&segments, &mine).hits.len());
    let unlisted = SearchRequest { use_vocabulary: false, ..request("restroe") };
    assert_eq!(ask(&segments, &unlisted), ask(&segments, &request("qzxw")), "nothing is asked of the vocabulary");
    // Words of chunks that may not be hits are not named.
    let mine = SearchRequest { restrict: Some(vec![2, 3]), ..request("restroe") };
    assert_eq!(ask(&segments, &mine).corrections, []);
}

#[test]
fn compounds_and_their_parts_find_each_other() {
    let texts = [
        (1, "Die Prüfung der Rechnung dauert lange"),
        (2, "Die Rechnungsprüfung dauert lange"),
        (3, "Der Datenbankserver steht im Keller"),
        (4, "Die Krankenversicherungskarte liegt dort"),
        (5, "Das Wetter bleibt schön"),
    ];
    let segments = [segment(Some("german"), &texts)];
    let sorted = |query: &str| {
        let mut found = natural(&segments, query);
        found.sort_unstable();
        found
    };
    assert_eq!(sorted("Rechnungsprüfung"), [1, 2]);
    assert_eq!(sorted("Prüfung Rechnung"), [1, 2]);
    assert_eq!(sorted("Datenbank Server"), [3]);
    assert_eq!(sorted("Krankenversicherung"), [4]);
}
