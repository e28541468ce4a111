//! Rules about words of queries: synonyms, protected words, stop words.

use super::*;
use socle_core::protocol::{WordRule, WordRuleKind};

fn rule(kind: WordRuleKind, term: &str, replacements: &[&str]) -> WordRule {
    let replacements = replacements.iter().map(|text| (*text).to_string()).collect();
    WordRule { kind, language: None, term: term.to_string(), replacements }
}

fn found(segments: &[Arc<Segment>], query: &str, rules: &[WordRule]) -> Vec<i64> {
    let request = SearchRequest { rules: rules.to_vec(), syntax: QuerySyntax::Natural, ..request(query) };
    let mut hits: Vec<i64> = ask(segments, &request).hits.into_iter().map(|(chunk_id, _)| chunk_id).collect();
    hits.sort_unstable();
    hits
}

#[test]
fn a_query_finds_the_synonyms_of_its_words() {
    let texts = [
        (1, "the car in the garage"),
        (2, "two automobiles on a road"),
        (3, "a motor vehicle tax"),
        (4, "vehicle of opinion"),
        (5, "asp.net and .NET"),
        (6, "dotnet only"),
        (7, "single sign-on for all"),
        (8, "SSO for all"),
        (9, "sign here"),
    ];
    let segments = [segment(Some("english"), &texts)];
    let rules = [
        rule(WordRuleKind::Synonym, "cars", &["automobile", "motor vehicles"]),
        rule(WordRuleKind::Synonym, "dotnet", &[".NET"]),
        rule(WordRuleKind::Synonym, ".NET", &["dotnet"]),
        rule(WordRuleKind::Synonym, "SSO", &["single sign on"]),
        rule(WordRuleKind::Synonym, "single sign on", &["SSO"]),
    ];
    assert_eq!(found(&segments, "car", &[]), [1]);
    assert_eq!(found(&segments, "car", &rules), [1, 2, 3], "by stem, and all words of a replacement");
    assert_eq!(found(&segments, "automobile", &rules), [2], "in one direction");
    assert_eq!(found(&segments, "dotnet", &rules), [5, 6]);
    assert_eq!(found(&segments, ".NET", &rules), [5, 6]);
    assert_eq!(found(&segments, "sso", &rules), [7, 8]);
    assert!(found(&segments, "what is single sign-on", &rules).contains(&8));
    assert!(!found(&segments, "sign here for a single reason", &rules).contains(&8), "not in a row");
    let request = SearchRequest { rules: rules.to_vec(), ..request("the car") };
    let expected = vec![("cars".to_string(), vec!["automobile".to_string(), "motor vehicles".to_string()])];
    assert_eq!(ask(&segments, &request).synonyms, expected);
}

#[test]
fn a_synonym_is_no_better_than_the_word() {
    let mut texts: Vec<(i64, String)> = (0..50).map(|id| (id, format!("the server number {id} runs"))).collect();
    texts.push((50, "the appliance number runs".into()));
    let texts: Vec<(i64, &str)> = texts.iter().map(|(id, text)| (*id, text.as_str())).collect();
    let segments = [segment(Some("english"), &texts)];
    let rules = vec![rule(WordRuleKind::Synonym, "server", &["appliance"])];
    let request = SearchRequest { rules, limit: 100, ..request("server") };
    let hits = ask(&segments, &request).hits;
    assert_eq!(hits.len(), 51);
    let score = |wanted: i64| hits.iter().find(|(id, _)| *id == wanted).unwrap().1;
    assert!((score(50) - score(7)).abs() < 0.2 * score(7), "its rarity does not count");
}

#[test]
fn a_word_with_a_synonym_is_not_corrected() {
    let segments = [segment(Some("english"), &[(1, "a kubernetes cluster"), (2, "cubes")])];
    let rules = [rule(WordRuleKind::Synonym, "kube", &["kubernetes"])];
    assert_eq!(found(&segments, "kube", &rules), [1]);
}

#[test]
fn a_protected_word_is_found_as_it_stands() {
    let segments = [segment(Some("english"), &[(1, "the Apples framework"), (2, "an apple a day")])];
    assert_eq!(found(&segments, "apples", &[]), [1, 2]);
    let rules = [rule(WordRuleKind::Protected, "Apples", &[])];
    assert_eq!(found(&segments, "apples", &rules), [1]);
    assert_eq!(found(&segments, "appels", &rules).len(), 2, "another word is corrected");
}

#[test]
fn a_stop_word_is_left_out_unless_it_is_alone() {
    let segments = [segment(Some("english"), &[(1, "the company buys disks"), (2, "the company sells")])];
    let rules = [rule(WordRuleKind::StopWord, "company", &[])];
    assert_eq!(found(&segments, "company disks", &[]), [1, 2]);
    assert_eq!(found(&segments, "company disks", &rules), [1]);
    assert_eq!(found(&segments, "company", &rules), [1, 2]);
}

#[test]
fn a_rule_of_a_language_holds_for_queries_in_it() {
    let segments = [segment(Some("english"), &[(1, "a gift for you"), (2, "poison")])];
    let german = WordRule { language: Some("german".to_string()), ..rule(WordRuleKind::Synonym, "gift", &["poison"]) };
    assert_eq!(found(&segments, "gift", std::slice::from_ref(&german)), [1]);
    let request = SearchRequest { rules: vec![german], language: Some("de".into()), ..request("gift") };
    assert_eq!(ask(&segments, &request).hits.len(), 2);
}

#[test]
fn the_same_is_found_however_the_index_is_searched() {
    let mut texts: Vec<(i64, String)> = texts(3_000, 7);
    texts.push((5_000, "zebra of two words here".into()));
    texts.push((5_001, "an okapi".into()));
    let texts: Vec<(i64, &str)> = texts.iter().map(|(id, text)| (*id, text.as_str())).collect();
    let segments = [segment(Some("english"), &texts)];
    let rules = vec![rule(WordRuleKind::Synonym, "okapi", &["zebra words"])];
    let all = SearchRequest { rules: rules.clone(), ..request("okapi") };
    let mut expected = ask(&segments, &all).hits;
    expected.sort_by_key(|(id, _)| *id);
    assert_eq!(expected.iter().map(|(id, _)| *id).collect::<Vec<_>>(), [5_000, 5_001]);
    let few =
        SearchRequest { rules, restrict: Some(vec![1, 5_000, 5_001]), score: vec![5_000, 5_001], ..request("okapi") };
    let restricted = ask(&segments, &few);
    assert_eq!(restricted.scores, expected);
}

#[test]
fn odd_rules_do_nothing() {
    let segments = [segment(Some("english"), &[(1, "one two")])];
    let rules = [
        rule(WordRuleKind::Synonym, "", &[""]),
        rule(WordRuleKind::Synonym, "...", &["x"]),
        rule(WordRuleKind::Synonym, "one", &["", "!", "one"]),
        rule(WordRuleKind::Protected, "- -", &[]),
        WordRule { language: Some("klingon".to_string()), ..rule(WordRuleKind::StopWord, "one", &[]) },
    ];
    assert_eq!(found(&segments, "one", &rules), [1]);
}
