//! Titles, headings and contents as fields of their own: scores against BM25F by hand, weights, phrases, and what is found.

use super::super::segment_file::{Contents, LENGTHS};
use super::*;
use socle_core::protocol::FieldWeights;
use std::collections::BTreeSet;

/// Title, headings and content by identifier.
type Row<'a> = (i64, [&'a str; 3]);

fn fielded(language: Option<&str>, rows: &[Row<'_>]) -> Arc<Segment> {
    let chunk = |(chunk_id, [title, headings, content]): &Row<'_>| Chunk {
        chunk_id: *chunk_id,
        title: (*title).to_string(),
        headings: (*headings).to_string(),
        content: (*content).to_string(),
        ..Chunk::default()
    };
    let chunks: Vec<Chunk> = rows.iter().map(chunk).collect();
    let mut bytes = Vec::new();
    let summary = build(language, &[], &chunks, &|| false, &mut bytes).unwrap();
    open(summary.digest, bytes).unwrap()
}

fn weighted(query: &str, title: f32, headings: f32) -> SearchRequest {
    SearchRequest { weights: FieldWeights { content: 1.0, title, headings }, ..request(query) }
}

fn ids_by(segments: &[Arc<Segment>], request: &SearchRequest) -> Vec<i64> {
    ask(segments, request).hits.into_iter().map(|(chunk_id, _)| chunk_id).collect()
}

/// Words with letters for digits, so that each is one term.
fn letters(text: &str) -> String {
    text.chars().map(|sign| sign.to_digit(10).map_or(sign, |digit| char::from(b'a' + digit as u8))).collect()
}

/// Rows of random words; a third have no title, and most no headings.
fn rows(count: i64) -> Vec<(i64, [String; 3])> {
    let [contents, titles, headings] = [7, 11, 13]
        .map(|seed| texts(count, seed).into_iter().map(|(id, text)| (id, letters(&text))).collect::<Vec<_>>());
    let first = |text: &str, count: usize| text.split(' ').take(count).collect::<Vec<_>>().join(" ");
    let row = |(at, (chunk_id, content)): (usize, &(i64, String))| {
        let title = if at % 3 == 0 { String::new() } else { first(&titles[at].1, 4) };
        let headings = if at % 5 == 0 { first(&headings[at].1, 5) } else { String::new() };
        (*chunk_id, [title, headings, content.clone()])
    };
    contents.iter().enumerate().map(row).collect()
}

fn of(all: &[(i64, [String; 3])], keep: impl Fn(i64) -> bool) -> Arc<Segment> {
    let kept = all.iter().filter(|(id, _)| keep(*id));
    let rows: Vec<Row<'_>> = kept.map(|(id, parts)| (*id, parts.each_ref().map(String::as_str))).collect();
    fielded(Some("simple"), &rows)
}

/// BM25F by hand, of words that are one term each: all rows that have one of them, with their scores.
fn by_hand(all: &[(i64, [String; 3])], query: &[&str], weights: [f64; 3]) -> Vec<(i64, f64)> {
    let words = |text: &str| text.split_whitespace().count() as f64;
    let count = |text: &str, word: &str| text.split_whitespace().filter(|other| *other == word).count() as f64;
    let mean = |part: usize| {
        let filled = all.iter().filter(|(_, parts)| part == 2 || !parts[part].is_empty()).count() as f64;
        all.iter().map(|(_, parts)| words(&parts[part])).sum::<f64>() / filled
    };
    let means = [mean(0), mean(1), mean(2)];
    let of_row = |parts: &[String; 3], word: &str| -> f64 {
        let of_part =
            |part: usize| weights[part] * count(&parts[part], word) / (0.25 + 0.75 * words(&parts[part]) / means[part]);
        (0..3).filter(|part| weights[*part] > 0.0).map(of_part).sum()
    };
    let chunks = all.len() as f64;
    let inverse = |word: &str| {
        let having = |part: usize| all.iter().filter(|(_, parts)| count(&parts[part], word) > 0.0).count();
        let frequency = (0..3).filter(|part| weights[*part] > 0.0).map(having).max().unwrap() as f64;
        (1.0 + (chunks - frequency + 0.5) / (frequency + 0.5)).ln()
    };
    let score = |parts: &[String; 3]| -> f64 {
        let of_word = |word: &&str| {
            let occurrences = of_row(parts, word);
            inverse(word) * 2.2 * occurrences / (1.2 + occurrences)
        };
        query.iter().map(of_word).sum()
    };
    all.iter().map(|(id, parts)| (*id, score(parts))).filter(|(_, score)| *score > 0.0).collect()
}

const QUERIES: [&str; 8] =
    ["wa", "wdj", "wb wc", "wd wca wh wb", "wf -wg", "\"wa wb\" wc", "wd*", "wda wdb wdc wdd wde wdf wdg wdh"];

/// Title and headings.
const WEIGHTS: [(f32, f32); 4] = [(1.0, 1.0), (4.0, 0.3), (0.0, 2.0), (100.0, 0.0)];

#[test]
fn scores_are_those_of_bm25f() {
    let all = rows(400);
    let segments = [of(&all, |id| id < 150), of(&all, |id| id >= 150)];
    for (title, headings) in WEIGHTS {
        for query in ["wa", "wbh", "wd wca wh"] {
            let words: Vec<&str> = query.split(' ').collect();
            let expected = by_hand(&all, &words, [f64::from(title), f64::from(headings), 1.0]);
            let mut found = ask(&segments, &SearchRequest { limit: 1_000, ..weighted(query, title, headings) }).hits;
            found.sort_by_key(|(id, _)| *id);
            assert_eq!(found.len(), expected.len(), "{query} {title} {headings}");
            for ((id, score), (expected_id, expected)) in found.into_iter().zip(expected) {
                assert_eq!(id, expected_id);
                assert!((f64::from(score) - expected).abs() < 1e-4 * expected, "{query} {id}: {score}, not {expected}");
            }
        }
    }
}

#[test]
fn all_ways_to_search_give_the_same_scores() {
    let all = rows(3_000);
    let parts = [of(&all, |id| id >= 2_000), of(&all, |id| id < 1_000), of(&all, |id| (1_000..2_000).contains(&id))];
    let whole = [of(&all, |_| true)];
    let merged = [merged(&parts, &[]).unwrap()];
    let mut state = 5;
    for (title, headings) in WEIGHTS {
        for query in QUERIES {
            let all = SearchRequest { limit: u32::MAX, ..weighted(query, title, headings) };
            let complete = ask(&whole, &all).hits;
            assert_eq!(ask(&parts, &all).hits, complete, "{query}");
            assert_eq!(ask(&merged, &all).hits, complete, "{query}");
            // With something to leave out, every segment is pruned by block-max WAND.
            for limit in [1, 10, 500] {
                let pruned = SearchRequest { limit, ..weighted(&format!("{query} -nowhere"), title, headings) };
                for segments in [&parts[..], &whole] {
                    let found = ask(segments, &pruned).hits;
                    assert_eq!(found, complete[..complete.len().min(limit as usize)], "{query} {title} by {limit}");
                }
            }
            let mut list: Vec<i64> = (0..200).map(|_| random(&mut state, 3_000) as i64).collect();
            list.sort_unstable();
            list.dedup();
            let listed = SearchRequest { restrict: Some(list.clone()), ..all };
            let expected: Vec<(i64, f32)> =
                complete.iter().copied().filter(|(id, _)| list.binary_search(id).is_ok()).collect();
            assert_eq!(ask(&parts, &listed).hits, expected, "{query}");
        }
    }
}

#[test]
fn hidden_titles_change_no_score() {
    let all = rows(600);
    let segments = [of(&all, |id| id < 400), of(&all, |id| id >= 400)];
    let alone = [of(&all, |id| id % 7 == 0)];
    let visible: Vec<i64> = (0..600).filter(|id| id % 7 == 0).collect();
    for query in ["wa", "wd wca wh", "\"wa wb\"", "wc -wb", "wb*"] {
        let expected = ask(&alone, &SearchRequest { limit: 1_000, ..weighted(query, 3.0, 2.0) }).hits;
        let mine =
            SearchRequest { restrict: Some(visible.clone()), visible_statistics: true, ..weighted(query, 3.0, 2.0) };
        assert_eq!(ask(&segments, &SearchRequest { limit: 1_000, ..mine }).hits, expected, "{query}");
    }
}

#[test]
fn a_weight_decides_what_a_field_counts_and_none_leaves_it_out() {
    let segments = [fielded(
        Some("english"),
        &[
            (1, ["Backups", "", "how to restore a server from tape, slowly"]),
            (2, ["Servers", "", "how to make backups to tape, backups again"]),
            (3, ["Servers", "Backups of old", "how to restore a server from tape"]),
        ],
    )];
    assert_eq!(ids_by(&segments, &weighted("backup", 10.0, 0.1))[0], 1);
    assert_eq!(ids_by(&segments, &weighted("backup", 0.1, 10.0))[0], 3);
    assert_eq!(ids_by(&segments, &weighted("backup", 0.1, 0.1))[0], 2);
    assert_eq!(ids_by(&segments, &weighted("backup", 0.0, 0.0)), [2]);
    assert_eq!(ids_by(&segments, &weighted("backup", 1.0, 0.0)).into_iter().collect::<BTreeSet<_>>(), [1, 2].into());
    // An exclusion, a phrase, a prefix and a correction see the same fields.
    assert_eq!(ids_by(&segments, &weighted("server -backup", 0.0, 1.0)), [1]);
    assert_eq!(ids_by(&segments, &weighted("\"backups of old\"", 1.0, 0.0)), Vec::<i64>::new());
    assert_eq!(ids_by(&segments, &weighted("servers*", 0.0, 1.0)), Vec::<i64>::new());
    assert_eq!(ask(&segments, &weighted("serverz", 0.0, 1.0)).corrections[0].1, ["server"]);
    assert_eq!(ask(&segments, &weighted("serverz", 1.0, 1.0)).corrections[0].1, ["server", "servers"]);
}

#[test]
fn a_phrase_stands_within_one_field() {
    let segments = [fielded(
        Some("english"),
        &[
            (1, ["write ahead", "log files", "are kept"]),
            (2, ["", "", "write ahead log files"]),
            (3, ["the write ahead log", "", "nothing"]),
            (4, ["", "write ahead log", "nothing"]),
        ],
    )];
    let found = |query: &str| ids_by(&segments, &weighted(query, 2.0, 2.0)).into_iter().collect::<BTreeSet<_>>();
    assert_eq!(found("\"write ahead log\""), [2, 3, 4].into());
    assert_eq!(found("\"ahead log\"~5"), [2, 3, 4].into());
    assert_eq!(found("\"log files are\""), [].into());
    assert_eq!(found("write -\"ahead log\""), [1].into());
    // Words, unlike phrases, may be of different fields.
    assert_eq!(found("+ahead +files"), [1, 2].into());
}

#[test]
fn words_of_titles_are_completed_corrected_joined_and_inflected() {
    let segments = [
        fielded(Some("german"), &[(1, ["Rechnungsprüfung", "", "nichts"]), (2, ["Häuser", "", "der Prüfung"])]),
        fielded(Some("french"), &[(3, ["", "Élèves étrangers", "rien"])]),
    ];
    for (query, expected) in [
        ("Prüfung der Rechnung", 1),
        ("Rechnungsprufung", 1),
        ("rechnungsprüfnug", 1),
        ("rechnungspr*", 1),
        ("haus", 2),
        ("eleve etranger", 3),
        ("étrang*", 3),
    ] {
        assert_eq!(ids_by(&segments, &weighted(query, 1.5, 1.5))[0], expected, "{query}");
    }
}

#[test]
fn fields_that_are_empty_take_no_room() {
    let contents: Vec<(i64, String)> = texts(2_000, 3);
    let chunk = |(chunk_id, content): &(i64, String)| Chunk {
        chunk_id: *chunk_id,
        content: content.clone(),
        ..Chunk::default()
    };
    let mut bytes = Vec::new();
    build(Some("simple"), &[], &contents.iter().map(chunk).collect::<Vec<_>>(), &|| false, &mut bytes).unwrap();
    let files = Contents::read(bytes.len(), |range| Ok(bytes[range].to_vec())).unwrap().files;
    let (_, lengths) = files.into_iter().find(|(extension, _)| extension == LENGTHS).unwrap();
    assert!(lengths.len() < 2 * 2_000 + 300, "a byte for each of two fields of six, not {}", lengths.len());
}

fn named(query: &str) -> Vec<i64> {
    let segments = [
        fielded(
            Some("english"),
            &[
                (1, ["Backups of servers", "", "how to restore a tape, slowly"]),
                (2, ["Servers", "Backups", "restoring tapes: backups are copied back again"]),
                (3, ["Clients", "Old backups of clients", "how to restore a client"]),
            ],
        ),
        fielded(Some("simple"), &[(4, ["", "", "http://title server std::vector restore"])]),
    ];
    let mut found = ids_by(&segments, &weighted(query, 2.0, 1.5));
    found.sort_unstable();
    found
}

#[test]
fn a_query_names_the_field_of_a_word() {
    for (query, expected) in [
        ("title:backup", &[1][..]),
        ("heading:backup", &[2, 3]),
        ("headings:backups", &[2, 3]),
        ("content:backup", &[2]),
        ("restore title:server", &[1, 2]),
        ("restore -title:server", &[3, 4]),
        ("title:backup OR content:client", &[1, 3]),
        ("(title:client OR heading:\"old backups\") restore", &[3]),
        ("title:\"backups of servers\"", &[1]),
        ("heading:\"backups of servers\"", &[]),
        ("heading:\"old clients\"~2", &[3]),
        ("title:serv*", &[1, 2]),
        ("restore -title:serv* -content:vector", &[3]),
        ("restore -(title:server OR content:vector)", &[3]),
        ("title:server title:backup", &[1]),
        ("title:nowhere", &[]),
        // Whatever names no field is text.
        ("http://title", &[4]),
        ("std::vector", &[4]),
        ("author:client", &[3]),
    ] {
        assert_eq!(named(query), expected, "{query}");
    }
}

#[test]
fn a_search_in_some_fields_finds_nothing_of_the_others() {
    let all = rows(900);
    let segments = [of(&all, |id| id < 300), of(&all, |id| id >= 300)];
    let titles: Vec<(i64, [String; 3])> =
        all.iter().map(|(id, [title, ..])| (*id, [String::new(), String::new(), title.clone()])).collect();
    let titles = [of(&titles, |_| true)];
    let in_titles = FieldWeights { content: 0.0, title: 1.0, headings: 0.0 };
    for query in ["wa", "wd wca wh", "wb*", "\"wa wb\"", "+wa -wb", "wa OR wb"] {
        let only = SearchRequest { weights: in_titles, limit: 1_000, ..request(query) };
        let found: BTreeSet<i64> = ids_by(&segments, &only).into_iter().collect();
        let whole = SearchRequest { limit: 1_000, ..request(query) };
        let expected: BTreeSet<i64> = ids_by(&titles, &whole).into_iter().collect();
        assert_eq!(found, expected, "{query}");
        assert!(!found.is_empty() && found.len() < 600, "{query}");
        let pruned = SearchRequest { limit: 10, ..only.clone() };
        let pruned = SearchRequest { query: format!("{query} -nowhere"), ..pruned };
        assert_eq!(ids_by(&segments, &pruned), ids_by(&segments, &only)[..found.len().min(10)], "{query}");
    }
    // Nowhere is a field that no chunk has.
    let contents = [fielded(None, &[(1, ["", "", "wa wb"])])];
    let only = SearchRequest { weights: in_titles, ..request("wa \"wb\" w*") };
    assert_eq!(ids_by(&contents, &only), Vec::<i64>::new());
}
