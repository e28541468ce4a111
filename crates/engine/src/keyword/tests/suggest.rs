//! Completions and corrections of what is being typed, of chunks that count alone.

use super::*;
use crate::keyword::suggest::{SuggestRequest, suggest};
use socle_core::Kind;
use socle_core::protocol::Suggestions;

fn suggestions(segments: &[Arc<Segment>], text: &str, restrict: Option<Vec<i64>>, titles: &[&str]) -> Suggestions {
    let titles = titles.iter().map(|title| (*title).to_string()).collect();
    let request = SuggestRequest { text: text.to_string(), limit: 10, restrict, titles };
    suggest(segments, &request, &|| false).unwrap()
}

fn words(segments: &[Arc<Segment>], text: &str, restrict: Option<Vec<i64>>) -> Vec<String> {
    suggestions(segments, text, restrict, &[]).words.into_iter().map(|word| word.word).collect()
}

#[test]
fn the_last_word_is_completed_and_the_most_common_come_first() {
    let segments = [
        segment(Some("english"), &[(1, "backup of the server"), (2, "backups are kept"), (3, "a backpack")]),
        segment(Some("english"), &[(4, "the backups"), (5, "Wi-Fi and ERR-4042")]),
    ];
    let found = suggestions(&segments, "Restore a BACK", None, &[]);
    assert_eq!((found.start, found.corrected), (10, false));
    let found: Vec<&str> = found.words.iter().map(|word| word.word.as_str()).collect();
    assert_eq!(found, ["backups", "backpack", "backup"]);
    assert_eq!(words(&segments, "wif", None), ["wifi"]);
    assert_eq!(words(&segments, "see err-4", None), ["4042"]);
    for nothing in ["", "   ", "restore ", "back? ", "\"", "狐", "zz", "\u{1}"] {
        assert_eq!(words(&segments, nothing, None), Vec::<String>::new(), "{nothing:?}");
    }
    assert_eq!(suggestions(&segments, "back ", None, &[]).start, 5);
    assert!(
        suggest(&[], &SuggestRequest { text: "back".into(), limit: 3, ..SuggestRequest::default() }, &|| false)
            .unwrap()
            .words
            .is_empty()
    );
}

#[test]
fn words_are_found_without_accents_and_shown_with_them() {
    let texts = [(1, "un élève"), (2, "les élèves"), (3, "une eleve"), (4, "élection"), (5, "elu")];
    let segments = [segment(Some("french"), &texts)];
    for typed in ["ele", "élè", "ÉLE"] {
        assert_eq!(words(&segments, typed, None), ["élève", "élection", "élèves"], "{typed}");
    }
    // Most chunks have it without.
    let segments = [segment(Some("simple"), &[(1, "cafe"), (2, "cafe"), (3, "café")])];
    assert_eq!(words(&segments, "caf", None), ["cafe"]);
}

#[test]
fn common_stop_words_come_last() {
    let segments = [segment(Some("english"), &[(1, "the thesis"), (2, "the theatre and the thesis"), (3, "the end")])];
    assert_eq!(words(&segments, "the", None), ["thesis", "theatre", "the"]);
    // The same word where it is rare.
    let mut texts: Vec<(i64, String)> = (1..=30).map(|id| (id, format!("thesis {id}"))).collect();
    texts.push((31, "the".into()));
    texts.push((32, "theatre".into()));
    let texts: Vec<(i64, &str)> = texts.iter().map(|(id, text)| (*id, text.as_str())).collect();
    assert_eq!(words(&[segment(Some("english"), &texts)], "the", None), ["thesis", "the", "theatre"]);
}

#[test]
fn a_misspelt_word_is_corrected_if_no_word_begins_with_it() {
    let segments = [segment(Some("english"), &[(1, "the encryption"), (2, "a café")])];
    let found = suggestions(&segments, "our encyrption", None, &[]);
    assert_eq!((found.words[0].word.as_str(), found.start, found.corrected), ("encryption", 4, true));
    assert!(!suggestions(&segments, "encr", None, &[]).corrected);
    assert_eq!(words(&segments, "cefe", None), ["café"]);
    assert_eq!(words(&segments, "unrelated", None), Vec::<String>::new());
}

#[test]
fn words_of_other_chunks_change_nothing() {
    let mut state = 7;
    let alphabet = ["alpha", "alpine", "alps", "alphabet", "beta", "béta", "the", "there"];
    let texts: Vec<(i64, String)> = (0..200)
        .map(|id| {
            let words: Vec<&str> = (0..4).map(|_| alphabet[usize::try_from(random(&mut state, 8)).unwrap()]).collect();
            (id, words.join(" "))
        })
        .collect();
    let (mine, others): (Vec<_>, Vec<_>) =
        texts.iter().map(|(id, text)| (*id, text.as_str())).partition(|(id, _)| id % 9 == 4);
    let ids: Vec<i64> = mine.iter().map(|(id, _)| *id).collect();
    let alone = [segment(Some("english"), &mine)];
    let among =
        [segment(Some("english"), &[mine, others].concat()), segment(Some("english"), &[(900, "alabaster beto")])];
    for text in ["al", "alp", "alphab", "bet", "b", "th", "alabas", "bteo", "beat"] {
        let wanted = suggestions(&alone, text, None, &[]);
        let found = suggestions(&among, text, Some(ids.clone()), &[]);
        assert_eq!(found, wanted, "{text}");
        assert!(found.words.iter().flat_map(|word| &word.chunks).all(|chunk| ids.contains(chunk)));
    }
    assert!(words(&among, "al", Some(Vec::new())).is_empty());
}

#[test]
fn the_chunks_of_a_word_are_named_or_a_few_of_many() {
    let texts: Vec<(i64, String)> =
        (1..=1_000).map(|id| (id, format!("common {}", if id % 100 == 7 { "rare" } else { "" }))).collect();
    let texts: Vec<(i64, &str)> = texts.iter().map(|(id, text)| (*id, text.as_str())).collect();
    let segments = [segment(Some("english"), &texts[..600]), segment(Some("english"), &texts[600..])];
    let chunks = |text: &str| suggestions(&segments, text, None, &[]).words.remove(0).chunks;
    assert_eq!(chunks("rare"), [7, 107, 207, 307, 407, 507, 607, 707, 807, 907]);
    let common = chunks("common");
    assert!((16..=18).contains(&common.len()), "{common:?}");
    assert!(common.iter().any(|id| *id < 100) && common.iter().any(|id| *id > 900), "{common:?}");
}

#[test]
fn titles_have_every_word_and_the_last_one_as_a_beginning() {
    let titles = ["Backups of the server", "How to restore a backup", "Wi-Fi", "École élémentaire", "Server"];
    let found = |text: &str| -> Vec<(u32, bool)> {
        suggestions(&[], text, None, &titles).titles.into_iter().map(|title| (title.number, title.at_start)).collect()
    };
    assert_eq!(found("back"), [(0, true), (1, false)]);
    assert_eq!(found("server back"), [(0, false)]);
    assert_eq!(found("how to res"), [(1, true)]);
    assert_eq!(found("backups of "), [(0, true)]);
    assert_eq!(found("wifi"), [(2, false)]);
    assert_eq!(found("ecole ÉLE"), [(3, true)]);
    assert_eq!(found("elem"), [(3, false)]);
    for nothing in ["", " ", "server wi", "erver"] {
        assert_eq!(found(nothing), [], "{nothing}");
    }
}

#[test]
fn a_request_that_nobody_waits_for_ends() {
    let segments = [segment(Some("english"), &[(1, "backup")])];
    let request = SuggestRequest { text: "back".into(), limit: 3, ..SuggestRequest::default() };
    assert_eq!(suggest(&segments, &request, &|| true).unwrap_err().kind, Kind::Cancelled);
}
