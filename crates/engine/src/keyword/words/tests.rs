//! Words and their spellings.

use super::*;

fn texts(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for_each_word(text, &mut |word| found.push(word.text.into_owned()));
    found
}

#[test]
fn identifiers_are_kept_whole_and_in_parts() {
    assert_eq!(texts("see ERR-4042!"), ["see", "err-4042", "err4042", "err", "4042"]);
    assert_eq!(texts("max_connections=100"), ["max_connections", "maxconnections", "max", "connections", "100"]);
    assert_eq!(texts("foo.bar()"), ["foo.bar", "foo", "bar"]);
    assert_eq!(texts("v1.2.3"), ["v1.2.3", "1.2.3", "v1", "2", "3"]);
    assert_eq!(texts("std::io a@b.eu"), ["std::io", "std", "io", "a@b.eu", "a", "b", "eu"]);
    assert_eq!(texts("state-of-the-art"), ["state", "of", "the", "art"]);
    assert_eq!(texts("a/b/c/d/e/f/g/h/i/1").len(), 10);
}

#[test]
fn words_have_their_other_spellings() {
    let spelt =
        |text: &str, wanted: &str| assert!(texts(text).contains(&wanted.to_string()), "{text}: {:?}", texts(text));
    for (text, wanted) in [
        ("Wi-Fi", "wifi"),
        ("e-mails", "emails"),
        ("ISO27001", "iso"),
        ("ISO27001", "27001"),
        ("getUserById", "user"),
        ("NullPointerException", "pointer"),
        ("O'Brien and O’Neill", "oneill"),
        ("C++ code", "c++"),
        ("in C#.", "csharp"),
        (".NET", "dotnet"),
        ("12,500 €", "12500"),
        ("12 500,00", "12500"),
        ("FR76 3000 6000 0112 3456 7890 189", "fr7630006000011234567890189"),
        ("GB29 NWBK 6016 1331 9268 19", "gb29nwbk60161331926819"),
        ("+33 1 42 68 53 00.", "0142685300"),
        ("00:1A:2B:3C:4D:5E", "001a2b3c4d5e"),
        ("on 15 March 2024", "2024-03-15"),
        ("March 15th, 2024", "2024-03-15"),
        ("15. März 2024", "2024-03-15"),
        ("le 1er août 2024", "2024-08-01"),
        ("15.03.2024", "2024-03-15"),
        ("03/15/2024", "2024-03-15"),
        ("release v2.3.1", "2.3.1"),
        ("R&D", "r&d"),
        ("slow 🐢!", "🐢"),
    ] {
        spelt(text, wanted);
    }
    assert_eq!(texts("PostgreSQL JavaScript iPhone B12 w10"), ["postgresql", "javascript", "iphone", "b12", "w10"]);
    assert_eq!(texts("l'Europe, 31/31/2024")[..2], ["l", "europe"]);
    assert!(!texts("44 March 2024, 15 Foo 2024, 31/31/2024").iter().any(|word| super::super::spelling::is_date(word)));
    assert_eq!(texts(&"1 ".repeat(50_000)).iter().filter(|word| *word == "1").count(), 50_000);
}

#[test]
fn acronyms_and_letters_are_no_stop_words() {
    let stop = |text: &str| {
        let mut last = None;
        for_each_word(text, &mut |word| last = Some(word.may_be_stop_word));
        last.unwrap()
    };
    assert!(!stop("our IT") && !stop("vitamin D") && stop("it") && stop("l'") && stop("THIS IS IT") && stop("don't"));
}

#[test]
fn apostrophes_part_words() {
    assert_eq!(texts("l'été d’Été dell’arte"), ["l", "été", "d", "été", "dell", "arte"]);
}

#[test]
fn composed_and_decomposed_texts_have_the_same_words() {
    for text in ["Données chiffrées", "ガイド한국어", "Żółć ÄÖÜ", "ﬁn ｆｕｌｌ"] {
        let decomposed: String = text.nfd().collect();
        assert_eq!(texts(text), texts(&decomposed), "{text}");
    }
}

#[test]
fn scripts_without_spaces_give_pairs() {
    assert_eq!(texts("東京都 の API"), ["東京", "京都", "の", "api"]);
    assert_eq!(texts("データ"), ["デー", "ータ"]);
    assert_eq!(texts("PostgreSQL入門"), ["postgresql", "入門"]);
}

#[test]
fn ranges_and_positions_are_those_of_the_text() {
    let text = "Élan vital: ERR-1 東京都";
    let mut last = 0;
    for_each_word(text, &mut |word| {
        if word.form != WordForm::Joined {
            assert_eq!(normalize(&text[word.start..word.end]), word.text);
        }
        assert!(word.position == last || word.position == last + 1);
        last = word.position;
    });
    assert_eq!(last, 5);
}

#[test]
fn short_cuts_change_nothing() {
    let alphabet: Vec<char> =
        "aZ9 _-.':,;!@/\t\n\u{0b}é\u{301}ﬁ²\u{200d}\u{ad}\u{a0}\u{3000}א\"东カか한ก👩🏽\u{2028}".chars().collect();
    let mut seed = 1_u32;
    for length in (0..60).cycle().take(60_000) {
        let text: String = (0..length)
            .map(|_| {
                seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                alphabet[(seed >> 16) as usize % alphabet.len()]
            })
            .collect();
        let whole: Vec<(usize, usize)> = text.split_word_bound_indices().flat_map(pieces_of_segment).collect();
        let by_runs: Vec<(usize, usize)> =
            runs(&text).flat_map(|(at, run)| pieces_of_run(run).map(move |(from, to)| (at + from, at + to))).collect();
        assert_eq!(by_runs, whole, "{text:?}");
    }
}

#[test]
fn a_word_is_bounded() {
    assert_eq!(texts(&"é".repeat(100_000))[0].chars().count(), MAX_CHARACTERS);
    assert_eq!(texts(&"a.".repeat(100_000)).len(), 100_000);
    assert!(texts("… — !? \u{0} \u{300}").is_empty());
}
