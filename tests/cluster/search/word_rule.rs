//! Synonyms, protected words and stop words of a corpus, made by its owner and used by its readers.

use super::{found, value, with_papers};
use crate::sqlstate;
use postgres::{Client, NoTls};
use socle_tests::error_of;
use std::collections::BTreeSet;

/// The animals of the papers that a keyword search finds, by their numbers.
fn animals(client: &mut Client, query: &str) -> BTreeSet<i32> {
    found(client, &format!("'{query}', mode => 'keyword', result_limit => 100")).into_iter().map(|id| id % 5).collect()
}

#[test]
fn rules_hold_from_the_next_search_on() {
    let (cluster, mut client) = with_papers(60);
    let digests = "SELECT string_agg(digest::text, ' ' ORDER BY digest) FROM socle.keyword_segment_part";
    let before: String = value(&mut client, digests);
    assert_eq!(animals(&mut client, "vixens"), BTreeSet::new());
    client.batch_execute("SELECT socle.create_synonyms('paper', ARRAY['vixen', 'fox', 'Reineke Fuchs'])").unwrap();
    assert_eq!(animals(&mut client, "vixens"), BTreeSet::from([0]));
    assert_eq!(animals(&mut client, "who is reineke fuchs"), BTreeSet::from([0]));
    client.batch_execute("SELECT socle.create_synonyms('paper', ARRAY['bird'], ARRAY['raven'])").unwrap();
    assert_eq!(animals(&mut client, "birds"), BTreeSet::from([2]));
    client.batch_execute("SELECT socle.create_synonyms('paper', ARRAY['bird'], ARRAY['owl', 'otter'])").unwrap();
    assert_eq!(animals(&mut client, "birds"), BTreeSet::from([2, 3]), "rules for one term add up");
    let marked: String = value(
        &mut client,
        "SELECT highlighted FROM socle.search('paper', 'birds', mode => 'keyword', result_limit => 1)",
    );
    assert!(marked.contains("<mark>raven</mark>") || marked.contains("<mark>otter</mark>"), "{marked}");
    let hybrid: bool =
        value(&mut client, "SELECT bool_or(keyword_score > 0) FROM socle.search('paper', 'vixens', result_limit => 3)");
    assert!(hybrid);
    let explained: String = value(
        &mut client,
        "SELECT string_agg(detail, E'\\n') FROM socle.explain_search('paper', 'vixens', mode => 'keyword')",
    );
    assert!(explained.contains("vixen finds fox, Reineke Fuchs"), "{explained}");

    client.batch_execute("SELECT socle.create_stop_words('paper', ARRAY['beside'])").unwrap();
    assert_eq!(animals(&mut client, "beside foxes"), BTreeSet::from([0]));
    client.batch_execute("SELECT socle.create_protected_words('paper', ARRAY['foxes'], 'english')").unwrap();
    assert_eq!(animals(&mut client, "foxes"), BTreeSet::new(), "no chunk has the word as it stands");
    assert_eq!(animals(&mut client, "fox"), BTreeSet::from([0]));

    assert_eq!(value::<String>(&mut client, digests), before, "nothing is indexed again");
    the_corpus_keeps_its_rules(&mut client);
    only_the_owner_makes_them(&cluster, &mut client);
    they_are_dropped(&mut client);
}

fn the_corpus_keeps_its_rules(client: &mut Client) {
    client.batch_execute("SELECT socle.alter_corpus('paper', max_tokens => 40)").unwrap();
    client.batch_execute("CALL socle.sync_corpus('paper')").unwrap();
    assert_eq!(animals(client, "birds"), BTreeSet::from([2, 3]));
}

fn only_the_owner_makes_them(cluster: &socle_tests::Cluster, client: &mut Client) {
    client.batch_execute("CREATE ROLE reader LOGIN; GRANT SELECT ON paper, paper_chunk TO reader").unwrap();
    let mut reader = cluster.configuration().user("reader").connect(NoTls).unwrap();
    assert_eq!(animals(&mut reader, "birds"), BTreeSet::from([2, 3]), "readers search by them");
    for call in [
        "create_synonyms('paper', ARRAY['a', 'b'])",
        "create_protected_words('paper', ARRAY['a'])",
        "create_stop_words('paper', ARRAY['a'])",
        "drop_word_rules('paper')",
    ] {
        assert_eq!(sqlstate(reader.batch_execute(&format!("SELECT socle.{call}"))), "42501", "{call}");
    }
    let insert = "INSERT INTO socle.corpus_word_rule VALUES ('paper', 'a', 'stop_word', 'any', 'a', '{}')";
    assert_eq!(sqlstate(reader.batch_execute(insert)), "42501");
    assert_eq!(sqlstate(reader.batch_execute("TABLE socle.corpus_word_rule")), "42501");
    assert_eq!(value::<i64>(&mut reader, "SELECT count(*) FROM socle.word_rule"), 0);
    for (call, code) in [
        ("create_synonyms('paper', ARRAY['alone'])", "22023"),
        ("create_synonyms('paper', NULL)", "22023"),
        ("create_synonyms('paper', ARRAY['a', NULL])", "22023"),
        ("create_synonyms('paper', ARRAY['a', '!!'])", "22023"),
        ("create_synonyms('paper', ARRAY['a'], '{}')", "22023"),
        ("create_synonyms('paper', ARRAY['a', 'b'], language => 'klingon')", "22023"),
        ("create_stop_words('paper', '{}')", "22023"),
        ("create_stop_words('paper', ARRAY[repeat('a', 201)])", "22023"),
        ("create_stop_words('nowhere', ARRAY['a'])", "42704"),
        ("drop_word_rules('paper', kind => 'nonsense')", "22023"),
        ("drop_word_rules(NULL)", "22023"),
        ("create_synonyms(NULL, ARRAY['a', 'b'])", "22023"),
        ("create_synonyms('paper', ARRAY['a'], ARRAY(SELECT 'w' || i FROM generate_series(1, 101) i))", "22023"),
        ("create_stop_words('paper', ARRAY(SELECT 'w' || i FROM generate_series(1, 1001) i))", "22023"),
    ] {
        assert_eq!(sqlstate(client.batch_execute(&format!("SELECT socle.{call}"))), code, "{call}");
    }
    let hundred = |client: &mut Client, word: char| {
        let replacements = format!("ARRAY(SELECT '{word}' || i FROM generate_series(1, 100) i)");
        client.batch_execute(&format!("SELECT socle.create_synonyms('paper', ARRAY['hundred'], {replacements})"))
    };
    hundred(client, 'v').unwrap();
    hundred(client, 'v').unwrap();
    let (_, message, ..) = error_of(&hundred(client, 'w').unwrap_err());
    assert_eq!(message, "term \"hundred\" would have more than 100 synonyms");
    client.batch_execute("SELECT socle.drop_word_rules('paper', ARRAY['hundred'])").unwrap();
    let many = "SELECT count(socle.create_stop_words('paper', ARRAY(SELECT 'w' || i || 'x' || n FROM generate_series(1, 1000) i)))
                FROM generate_series(1, 10) n";
    assert_eq!(sqlstate(client.batch_execute(many)), "22023", "more rules than a corpus may have");
    assert_eq!(
        sqlstate(client.batch_execute("BEGIN READ ONLY; SELECT socle.create_stop_words('paper', ARRAY['a'])")),
        "25006"
    );
    client.batch_execute("ROLLBACK").unwrap();
}

fn they_are_dropped(client: &mut Client) {
    let drop = |client: &mut Client, arguments: &str| -> i64 {
        value(client, &format!("SELECT socle.drop_word_rules('paper'{arguments})"))
    };
    assert_eq!(drop(client, ", ARRAY['otter']"), 1, "a replacement of a rule that keeps others");
    assert_eq!(animals(client, "birds"), BTreeSet::from([2]));
    assert_eq!(drop(client, ", ARRAY['vixen']"), 3, "the term, and where it was a replacement");
    assert_eq!(animals(client, "vixens"), BTreeSet::new());
    assert_eq!(drop(client, ", kind => 'protected'"), 1);
    assert_eq!(animals(client, "foxes"), BTreeSet::from([0]));
    let left: String = value(
        client,
        "SELECT string_agg(DISTINCT kind, ' ' ORDER BY kind) FROM socle.word_rule WHERE corpus = 'paper'",
    );
    assert_eq!(left, "stop_word synonym");
    assert!(drop(client, "") > 0);
    assert_eq!(drop(client, ""), 0);
    client
        .batch_execute("SELECT socle.create_stop_words('paper', ARRAY['fox']); SELECT socle.drop_corpus('paper')")
        .unwrap();
    assert_eq!(value::<i64>(client, "SELECT count(*) FROM socle.corpus_word_rule"), 0, "they go with their corpus");
}
