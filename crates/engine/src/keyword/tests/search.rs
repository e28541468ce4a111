//! Hits, their order, and the equality of all ways to search.

use super::*;
use socle_core::Kind;
use socle_core::protocol::QueryTruncation;
use unicode_normalization::UnicodeNormalization;

fn hits(segments: &[Arc<Segment>], request: &SearchRequest) -> Vec<(i64, f32)> {
    ask(segments, request).hits
}

#[test]
fn words_find_their_inflections_in_each_language() {
    for (language, text, query) in [
        ("english", "The server restores backups", "restoring a backup"),
        ("french", "Les sauvegardes sont chiffrées", "sauvegarde chiffrée"),
        ("french", "Les données sauvegardées", "donnees sauvegardees"),
        ("french", "Les donnees sauvegardees", "données sauvegardées"),
        ("german", "Die Häuser der Straße", "strasse haus"),
        ("german", "Prüfung der Schlüssel", "Pruefung Schluessel"),
        ("spanish", "las canciones españolas", "cancion espanola"),
        ("italian", "l'architettura dell'applicazione", "applicazioni"),
        ("polish", "kopie zapasowe bazy danych", "kopia bazami"),
        ("polish", "kopie zapasowe są ważne", "wazne"),
        ("russian", "резервное копирование книги", "книгами"),
    ] {
        let segments = [segment(Some(language), &[(1, text), (2, "xyz")])];
        assert_eq!(ids(&segments, query), [1], "{language}: {query}");
        let given = SearchRequest { language: Some(language.into()), ..request(query) };
        assert_eq!(hits(&segments, &given).len(), 1, "{language}: {query}");
    }
}

#[test]
fn the_exact_form_ranks_higher() {
    let segments = [segment(Some("french"), &[(1, "la peche"), (2, "la pêche"), (3, "la pèche")])];
    assert_eq!(ids(&segments, "pêche"), [2, 1, 3]);
    assert_eq!(ids(&segments, "peche").len(), 3);
}

#[test]
fn several_languages_are_searched_at_once() {
    let segments = [
        segment(Some("french"), &[(1, "les sauvegardes chiffrées")]),
        segment(Some("english"), &[(2, "encrypted backups")]),
        segment(Some("simple"), &[(3, "backups")]),
    ];
    assert_eq!(ids(&segments, "sauvegarde"), [1]);
    assert_eq!(ids(&segments, "backup"), [2]);
    assert_eq!(ids(&segments, "backups").len(), 2);
}

#[test]
fn composed_and_decomposed_text_and_query_match() {
    let text = "Été à Łódź";
    let decomposed: String = text.nfd().collect();
    for indexed in [text, &decomposed] {
        let segments = [segment(Some("simple"), &[(1, indexed)])];
        for query in ["été", "e\u{301}te\u{301}", "ete", "łódź", "lodz", &decomposed] {
            assert_eq!(ids(&segments, query), [1], "{query}");
        }
    }
}

#[test]
fn identifiers_and_scripts_without_spaces_are_found() {
    let segments = [segment(
        Some("english"),
        &[
            (1, "error ERR-4042 in foo.bar()"),
            (2, "error ERR-4043 and 4042 bars"),
            (3, "東京都に住む"),
            (4, "set max_connections to 100"),
            (5, "京都に住む"),
        ],
    )];
    assert_eq!(ids(&segments, "err-4042")[0], 1);
    assert_eq!(ids(&segments, "foo.bar")[0], 1);
    assert_eq!(ids(&segments, "connections"), [4]);
    assert_eq!(ids(&segments, "MAX_CONNECTIONS"), [4]);
    assert_eq!(ids(&segments, "東京"), [3]);
    assert_eq!(ids(&segments, "\"東京都\""), [3]);
}

#[test]
fn operators_work() {
    let segments = [segment(
        Some("english"),
        &[(1, "write ahead log"), (2, "ahead of the log write"), (3, "logging writes"), (4, "The Who of it")],
    )];
    assert_eq!(ids(&segments, "\"write ahead log\""), [1]);
    assert_eq!(ids(&segments, "\"Write-Ahead\" logs"), [1]);
    assert_eq!(ids(&segments, "\"log write\" log"), [2]);
    assert_eq!(ids(&segments, "log -ahead"), [3]);
    assert_eq!(ids(&segments, "log -\"of the\"").len(), 2);
    assert_eq!(ids(&segments, "loggi*"), [3]);
    assert_eq!(ids(&segments, "\"the who\""), [4]);
    assert_eq!(ids(&segments, "the who")[0], 4);
    assert_eq!(ids(&segments, "\"write ahead\" \"ahead log\" -log"), Vec::<i64>::new());
    let sorted = |query: &str| {
        let mut found = ids(&segments, query);
        found.sort_unstable();
        found
    };
    assert_eq!(sorted("write ahead OR who"), [1, 2, 4], "chunk 3 has neither");
    assert_eq!(sorted("(\"write ahead\" OR \"the who\")"), [1, 4]);
    assert_eq!(sorted("\"write ahead\" OR logging"), [1, 2, 3], "an inflected form");
    assert_eq!(sorted("ahead OR who log OR it -of"), [1]);
    assert_eq!(sorted("\"ahead log\"~1"), [1]);
    assert_eq!(sorted("\"ahead log\"~2"), [1, 2]);
    assert_eq!(sorted("nothing OR nowhere"), Vec::<i64>::new());
    let restricted = SearchRequest { restrict: Some(vec![2, 3, 4]), score: vec![1, 3, 4], ..request("ahead OR who") };
    let answer = ask(&segments, &restricted);
    assert_eq!(answer.hits.iter().map(|(id, _)| *id).collect::<std::collections::BTreeSet<_>>(), [2, 4].into());
    assert_eq!((answer.refused, answer.has_phrases), (vec![3], true));
}

#[test]
fn odd_queries_are_no_errors() {
    let segments = [segment(Some("english"), &[(1, "the quick brown fox")])];
    let long = "quick ".repeat(200_000);
    let many: String = (0..100_000).map(|number| format!("w{number} ")).collect();
    for query in ["", "   ", "!?…", "-", "\"", "*", "-fox", "AND OR NOT", &"(".repeat(10_000), "\u{0}\u{1}quux", &many]
    {
        assert_eq!(ids(&segments, query), Vec::<i64>::new(), "{}", &query[..query.floor_char_boundary(20)]);
    }
    assert_eq!(ids(&segments, &long), [1]);
    assert_eq!(ids(&segments, "NOT (quick:brown)"), [1]);
    assert_eq!(ids(&segments, "the"), [1]);
    assert_eq!(ids(&[], "quick"), Vec::<i64>::new());
    let klingon = SearchRequest { language: Some("klingon".into()), ..request("quick") };
    assert_eq!(search(&segments, &klingon, &|| false).unwrap_err().kind, Kind::InvalidArgument);
    assert_eq!(search(&segments, &request("quick"), &|| true).unwrap_err().kind, Kind::Cancelled);
    let infinite = SearchRequest { after: Some((f32::NAN, 0)), limit: u32::MAX, ..request("quick") };
    assert!(hits(&segments, &infinite).len() <= 1);
}

/// Segments whose identifiers overlap, and one with everything.
fn samples() -> (Vec<Arc<Segment>>, Vec<Arc<Segment>>) {
    let all = texts(3000, 7);
    let part = |keep: &dyn Fn(i64) -> bool| {
        let texts: Vec<(i64, &str)> =
            all.iter().filter(|(id, _)| keep(*id)).map(|(id, text)| (*id, text.as_str())).collect();
        segment(Some("simple"), &texts)
    };
    let parts = vec![
        part(&|id| id >= 2000),
        part(&|id| id < 1000),
        part(&|id| (1000..2000).contains(&id) && id % 2 == 0),
        part(&|id| (1000..2000).contains(&id) && id % 2 == 1),
    ];
    (parts, vec![part(&|_| true)])
}

const QUERIES: [&str; 10] = [
    "w0",
    "w39",
    "w1 w2",
    "w3 w20 w7 w1",
    "w5 -w6",
    "w3 w20 w7 w1 -w38",
    "\"w0 w1\" w2",
    "w3*",
    "w1* w0 w12",
    "w30 w31 w32 w33 w34 w35 w36 w37 w38 w39 w30",
];

#[test]
fn many_segments_answer_as_one_whatever_the_page() {
    let (parts, whole) = samples();
    for query in QUERIES {
        let all = SearchRequest { limit: u32::MAX, ..request(query) };
        let complete = hits(&whole, &all);
        assert!(complete.is_sorted_by(|one, next| one.1 > next.1 || (one.1 == next.1 && one.0 < next.0)));
        assert_eq!(hits(&parts, &all), complete, "{query}");
        for segments in [&parts, &whole] {
            for limit in [1, 7, 100] {
                let mut paged: Vec<(i64, f32)> = Vec::new();
                loop {
                    let after = paged.last().map(|(chunk_id, score)| (*score, *chunk_id));
                    let page = ask(segments, &SearchRequest { limit, after, ..request(query) });
                    paged.extend(&page.hits);
                    // The first pages of single hits are enough.
                    if !page.more || (limit == 1 && paged.len() == 30) {
                        break;
                    }
                }
                assert_eq!(paged, complete[..paged.len()], "{query} by {limit}");
                assert!(limit == 1 || paged.len() == complete.len());
            }
        }
    }
}

#[test]
fn posting_lists_that_are_read_to_their_ends_give_what_block_max_wand_gives() {
    let (parts, whole) = samples();
    for query in ["w39", "w1 w2", "w3 w20 w7 w1", "w1* w0 w12", "w1 été w2"] {
        for segments in [&parts, &whole] {
            for limit in [1, 10, 500] {
                let ask = |query: &str| hits(segments, &SearchRequest { limit, ..request(query) });
                // With something to leave out, every segment is pruned.
                assert_eq!(ask(query), ask(&format!("{query} -nowhere")), "{query} by {limit}");
            }
        }
    }
}

#[test]
fn lists_and_scores_agree_with_hits() {
    let (parts, _) = samples();
    let mut state = 3;
    for query in QUERIES {
        let complete = hits(&parts, &SearchRequest { limit: u32::MAX, ..request(query) });
        for count in [0, 1, 20, 1000] {
            let mut list: Vec<i64> = (0..count).map(|_| random(&mut state, 3100) as i64 - 50).collect();
            let found = ask(
                &parts,
                &SearchRequest { limit: 50, restrict: Some(list.clone()), score: list.clone(), ..request(query) },
            );
            list.sort_unstable();
            let mut expected: Vec<(i64, f32)> =
                complete.iter().copied().filter(|(id, _)| list.binary_search(id).is_ok()).collect();
            let mut scores = expected.clone();
            scores.sort_by_key(|(chunk_id, _)| *chunk_id);
            expected.truncate(50);
            assert_eq!(found.hits, expected, "{query}");
            assert_eq!(found.scores, scores, "{query}");
        }
    }
}

#[test]
fn visible_statistics_are_those_of_an_index_of_the_visible() {
    let all = texts(600, 9);
    let pairs: Vec<(i64, &str)> = all.iter().map(|(id, text)| (*id, text.as_str())).collect();
    let hidden = [segment(Some("simple"), &pairs[..400]), segment(Some("simple"), &pairs[400..])];
    let visible: Vec<i64> = (0..600).filter(|id| id % 3 == 0).collect();
    let alone: Vec<(i64, &str)> = pairs.iter().copied().filter(|(id, _)| id % 3 == 0).collect();
    let alone = [segment(Some("simple"), &alone)];
    for query in ["w0", "w3 w20 w7", "\"w0 w1\"", "w2 -w1"] {
        let expected = hits(&alone, &SearchRequest { limit: 1000, ..request(query) });
        let request =
            SearchRequest { limit: 1000, restrict: Some(visible.clone()), visible_statistics: true, ..request(query) };
        assert_eq!(hits(&hidden, &request), expected, "{query}");
    }
}

/// Which languages a word is tried in depends on the visible chunks alone, too.
#[test]
fn languages_are_those_of_the_visible_with_their_statistics() {
    let english = segment(Some("english"), &[(1, "the rechnung of a guest"), (2, "a fox")]);
    let german = segment(Some("german"), &[(3, "die Rechnung des Gastes"), (4, "ein Fuchs")]);
    let segments = [merged(&[english.clone(), german.clone()], &[]).unwrap()];
    let of_corpus = SearchRequest { restrict: Some(vec![1, 2]), use_vocabulary: false, ..request("rechnungen") };
    assert_eq!(hits(&segments, &of_corpus).len(), 1, "by its German stem");
    let of_visible = SearchRequest { visible_statistics: true, ..of_corpus };
    assert_eq!(hits(&[english], &of_visible).len(), 0);
    assert_eq!(hits(&segments, &of_visible).len(), 0);
    let of_german = SearchRequest { restrict: Some(vec![3, 4]), ..of_visible };
    assert_eq!(hits(&segments, &of_german).len(), 1);
}

#[test]
fn a_segment_knows_the_language_of_each_chunk() {
    let [english, german, simple] = ["english", "german", "simple"].map(|name| Language::named(name).unwrap());
    let one = segment(Some("english"), &[(1, "a fox"), (9, "a goose")]);
    let two = segment(Some("german"), &[(3, "ein Fuchs"), (4, "eine Gans")]);
    let three = segment(Some("simple"), &[(5, "x")]);
    let expected = [Some(german), Some(english), None, Some(english), Some(simple), Some(german)];
    for segments in [vec![one.clone(), two.clone(), three.clone()], vec![merged(&[one, two, three], &[]).unwrap()]] {
        assert_eq!(chunk_language::of_chunks(&segments, &[4, 9, 7, 1, 5, 4]).unwrap(), expected);
    }
}

#[test]
fn a_merge_is_as_if_built_at_once_without_the_dead() {
    let (parts, _) = samples();
    let dead: Vec<i64> = (0..3000).rev().filter(|id| id % 7 == 0 || (200..900).contains(id)).collect();
    let living = texts(3000, 7).into_iter().filter(|(id, _)| !dead.contains(id)).collect::<Vec<_>>();
    let living: Vec<(i64, &str)> = living.iter().map(|(id, text)| (*id, text.as_str())).collect();
    let expected = [segment(Some("simple"), &living)];
    let merged_parts = [merged(&parts, &dead).unwrap()];
    assert_eq!(merged_parts[0].chunk_count() as usize, living.len());
    let again = [merged(&merged_parts, &[]).unwrap()];
    for query in QUERIES {
        let all = SearchRequest { limit: u32::MAX, ..request(query) };
        assert_eq!(hits(&merged_parts, &all), hits(&expected, &all), "{query}");
        assert_eq!(hits(&again, &all), hits(&expected, &all), "{query}");
    }
    assert!(merged(&parts, &(0..3000).collect::<Vec<_>>()).is_none());
    assert_eq!(merge(&[], &[], &|| false, &mut Vec::new()).unwrap_err().kind, Kind::InvalidArgument);
}

#[test]
fn building_refuses_what_is_no_segment() {
    let chunk = Chunk { chunk_id: 1, content: "a".into(), ..Chunk::default() };
    let kind = |language, chunks: &[Chunk]| build(language, &[], chunks, &|| false, &mut Vec::new()).unwrap_err().kind;
    assert_eq!(kind(None, &[]), Kind::InvalidArgument);
    assert_eq!(kind(None, &[chunk.clone(), chunk.clone()]), Kind::InvalidArgument);
    assert_eq!(kind(Some("klingon"), std::slice::from_ref(&chunk)), Kind::InvalidArgument);
    let own = Chunk { language: Some("xx".into()), ..chunk.clone() };
    assert_eq!(kind(Some("en"), &[own]), Kind::InvalidArgument);
    assert_eq!(build(None, &[], &[chunk], &|| true, &mut Vec::new()).unwrap_err().kind, Kind::Cancelled);
}

#[test]
fn texts_without_words_are_chunks_without_hits() {
    let segments = [segment(None, &[(i64::MIN, ""), (0, "…"), (i64::MAX, "word")])];
    assert_eq!(ids(&segments, "word"), [i64::MAX]);
    let empty = [segment(Some("english"), &[(1, "the of"), (2, "")])];
    assert_eq!(ids(&empty, "word"), Vec::<i64>::new());
    assert_eq!(ids(&empty, "the"), [1]);
}

#[test]
fn operators_refuse_chunks_that_are_asked_about() {
    let texts = [(1, "the raven sings"), (2, "the raven sleeps"), (3, "a raven sings of ice"), (4, "nothing of it")];
    let segments = [segment(Some("english"), &texts[..2]), segment(Some("english"), &texts[2..])];
    let asked = |query: &str| {
        let found = ask(&segments, &SearchRequest { limit: 0, score: vec![4, 2, 1, 3, 99], ..request(query) });
        (found.refused, found.has_phrases)
    };
    assert_eq!(asked("raven"), (vec![], false));
    // What no segment has may yet be without the word, but is not known to have a phrase.
    assert_eq!(asked("raven -ice"), (vec![3], false));
    assert_eq!(asked("wolf -ravens"), (vec![1, 2, 3], false));
    assert_eq!(asked("\"raven sings\""), (vec![2, 4, 99], true));
    assert_eq!(asked("\"raven sings\" -ice"), (vec![2, 3, 4, 99], true));
}

#[test]
fn words_of_chunks_that_are_left_out_do_not_crowd_out_a_prefix() {
    let many: Vec<(i64, String)> =
        (0..600).map(|id| (id, (0..3).map(|at| format!("proj{:03} ", (id + at) % 150)).collect())).collect();
    let many: Vec<(i64, &str)> =
        many.iter().map(|(id, text)| (*id, text.as_str())).chain([(600, "projector")]).collect();
    let segments = [segment(Some("english"), &many)];
    let mine = SearchRequest { restrict: Some(vec![600]), ..request("proj*") };
    assert_eq!(hits(&segments, &mine).len(), 1);
    let visible = SearchRequest { visible_statistics: true, ..mine };
    assert_eq!(hits(&segments, &visible).len(), 1);
}

#[test]
fn what_is_not_searched_for_is_counted() {
    let letter = |number: u32| char::from(b'a' + u8::try_from(number % 20).unwrap());
    let name =
        |start: &str, number: u32| format!("{start}{}{}{} ", letter(number / 400), letter(number / 20), letter(number));
    let many = |start: &str, count: u32| (0..count).map(|number| name(start, number)).collect::<String>();
    let (words, beginnings) = (many("w", 70), many("pre", 101));
    let segments = [segment(Some("simple"), &[(1, &words), (2, &many("w", 6)), (3, &beginnings)])];
    let found = ask(&segments, &request(&words));
    assert_eq!(found.left_out, QueryTruncation { common_words: 6, ..QueryTruncation::default() });
    assert_eq!(found.hits.iter().map(|hit| hit.0).collect::<Vec<_>>(), [1], "the rarest count");
    assert_eq!(ask(&segments, &request(&many("w", 72))).left_out.words, 0);
    assert_eq!(
        ask(&segments, &request("pre*")).left_out,
        QueryTruncation { prefix_words: 1, ..QueryTruncation::default() }
    );
    // Wherever a word stands that is looked up at all.
    let late = many("zzzzzz", 4_095) + &name("w", 69);
    assert_eq!(ids(&segments, &late), [1]);
}
