//! Titles and headings beside contents: what they count, and that nothing is found of those that one may not read.

use super::{as_role, texts, value};
use postgres::Client;
use socle_tests::{Cluster, error_of};

/// A word in the title, in the headings, in the content of a document each, and in none of a fourth.
const SETUP: &str = "
    CREATE TABLE guide (id int PRIMARY KEY, title text, body text, tenant int);
    INSERT INTO guide VALUES
        (1, 'Backups', E'# Tapes\n\nHow to restore a server from a tape, slowly.', 1),
        (2, 'Servers', E'# Backups\n\nHow to restore a server from a tape, slowly.', 1),
        (3, 'Servers', E'# Tapes\n\nHow to write backups to a tape, and the next backups.', 2),
        (4, NULL, 'Cats sleep for most of the day.', 2);
    SELECT socle.create_corpus('guide', 'guide', ARRAY['body'], title => 'title', format => 'markdown', language => 'en',
                               model => 'minilm')";

fn with_guides() -> (Cluster, Client) {
    let cluster = Cluster::with_models("");
    let mut client = cluster.connect();
    client.batch_execute(SETUP).unwrap();
    client.batch_execute("CALL socle.sync_corpus('guide')").unwrap();
    (cluster, client)
}

/// Runs a statement, and waits until its changes are searched.
fn changed(client: &mut Client, sql: &str) {
    client.batch_execute(sql).unwrap();
    assert!(value::<bool>(client, "SELECT socle.wait_for_corpus('guide', '2 minutes')"));
}

/// The documents that are found, in order; `arguments` are those after the corpus.
fn found(client: &mut Client, arguments: &str) -> Vec<String> {
    texts(client, &format!("SELECT source_key ->> 'id' FROM socle.search('guide', {arguments})"))
}

#[test]
fn titles_and_headings_count_by_argument() {
    let (_cluster, mut client) = with_guides();
    let first = |client: &mut Client, weights: &str| {
        found(client, &format!("'backup', mode => 'keyword', {weights}")).into_iter().next().unwrap()
    };
    assert_eq!(first(&mut client, "title_weight => 20, heading_weight => 0.1"), "1");
    assert_eq!(first(&mut client, "title_weight => 0.1, heading_weight => 20"), "2");
    assert_eq!(first(&mut client, "title_weight => 0.1, heading_weight => 0.1"), "3");
    assert_eq!(found(&mut client, "'backup', mode => 'keyword', title_weight => 0").len(), 2, "without the first");
    let of_null = "'backup', mode => 'keyword', title_weight => NULL, heading_weight => NULL";
    assert_eq!(found(&mut client, of_null), found(&mut client, "'backup', mode => 'keyword'"));
    assert!(found(&mut client, "'backup', title_weight => 3").contains(&"1".to_string()));
    // A title that is changed is found by its new words alone.
    changed(&mut client, "UPDATE guide SET title = 'Archives' WHERE id = 1");
    assert_eq!(found(&mut client, "'archive', mode => 'keyword', title_weight => 5"), ["1"]);
    assert!(!found(&mut client, "'backup', mode => 'keyword'").contains(&"1".to_string()));
    let explained =
        "SELECT detail FROM socle.explain_search('guide', 'tape', title_weight => 2.5) WHERE step = 'keyword'";
    let detail: String = value(&mut client, explained);
    assert!(detail.contains("content counts 1, titles 2.5, headings 3"), "{detail}");
    client
        .batch_execute(
            "CREATE TABLE question (id int, question text); CREATE TABLE grade (question int, id int, grade int);
             INSERT INTO question VALUES (1, 'archives'); INSERT INTO grade VALUES (1, 1, 1)",
        )
        .unwrap();
    let mut ndcg = |weight: &str| -> f64 {
        let sql =
            "SELECT ndcg FROM socle.evaluate('guide', 'question', 'grade', modes => '{keyword}', title_weight => ";
        value(&mut client, &format!("{sql}{weight})"))
    };
    assert!((ndcg("1") - 1.0).abs() < 1e-9);
    assert!(ndcg("0").abs() < 1e-9);
}

#[test]
fn a_search_is_restricted_to_fields_as_a_whole_or_word_by_word() {
    let (_cluster, mut client) = with_guides();
    let mut sorted = |arguments: &str| {
        let mut found = found(&mut client, arguments);
        found.sort();
        found.join(" ")
    };
    for (arguments, expected) in [
        ("'backup', mode => 'keyword', fields => '{title}'", "1"),
        ("'backup', mode => 'keyword', fields => '{headings}'", "2"),
        ("'backup', mode => 'keyword', fields => '{title,headings}'", "1 2"),
        ("'\"a tape\" server', mode => 'keyword', fields => '{title}'", "2 3"),
        ("'backup', mode => 'keyword', fields => NULL", "1 2 3"),
        // As text, the name of a field is a word that no chunk has.
        ("'title:backup', mode => 'keyword', fields => '{title}'", "1"),
        ("'tape title:backup', mode => 'keyword', query_syntax => 'operators'", "1"),
        ("'tape -heading:backup', mode => 'keyword', query_syntax => 'operators'", "1 3"),
        ("'title:server -content:\"write backups\"', mode => 'keyword', query_syntax => 'operators'", "2"),
        ("'title:back*', mode => 'keyword', query_syntax => 'operators'", "1"),
        // In both retrievers.
        ("'title:backup', query_syntax => 'operators'", "1"),
        ("'cats -title:server', query_syntax => 'operators'", "1 4"),
        ("'title:backup', mode => 'keyword', fields => '{content}', query_syntax => 'operators'", ""),
    ] {
        assert_eq!(sorted(arguments), expected, "{arguments}");
    }
    // Vectors find chunks by their meaning besides.
    assert_eq!(sorted("'backup', fields => '{title}'"), "1 2 3 4");
    let keyword =
        "SELECT source_key ->> 'id' FROM socle.search('guide', 'backup', fields => '{title}') WHERE keyword_rank > 0";
    assert_eq!(texts(&mut client, keyword), ["1"]);
    let counted = "SELECT document_count FROM socle.facets('guide', 'backup', '{}', fields => '{title}')";
    assert_eq!(texts(&mut client, counted), ["1"]);
    client
        .batch_execute(
            "CREATE TABLE question (id int, question text); CREATE TABLE grade (question int, id int, grade int);
             INSERT INTO question VALUES (1, 'backups'); INSERT INTO grade VALUES (1, 2, 1)",
        )
        .unwrap();
    let evaluated = "SELECT mode, round(recall::numeric, 2) FROM socle.evaluate('guide', 'question', 'grade', k => 1,
                     modes => '{keyword,vector}', fields => '{headings}')";
    let rows = format!("SELECT array_agg(t ORDER BY mode) FROM ({evaluated}) AS t");
    let measured = texts(&mut client, &rows);
    assert!(measured[0].contains("(keyword,1.00)") && measured[0].contains("(vector,"), "{measured:?}");
}

#[test]
fn nothing_is_found_of_a_title_that_one_may_not_read() {
    let (_cluster, mut client) = with_guides();
    client
        .batch_execute(
            "CREATE ROLE untitled; GRANT SELECT (id, body, tenant) ON guide TO untitled;
             CREATE ROLE clerk; GRANT SELECT ON guide TO clerk; GRANT SELECT ON guide_chunk TO untitled, clerk;
             ALTER TABLE guide ENABLE ROW LEVEL SECURITY; CREATE POLICY own ON guide TO clerk USING (tenant = 2)",
        )
        .unwrap();
    let weights =
        ["", ", title_weight => 0", ", title_weight => 50", ", fields => '{title}'", ", fields => '{content}'"];
    for (query, weights) in
        ["backup", "title:archives"].iter().flat_map(|query| weights.map(|weights| (query, weights)))
    {
        for function in ["search", "explain_search"] {
            let sql = format!(
                "SELECT * FROM socle.{function}('guide', '{query}', mode => 'keyword', query_syntax => 'operators'{weights})"
            );
            let error = as_role(&mut client, "untitled", |client| client.query(&sql, &[]).err());
            assert_eq!(error_of(&error.unwrap()).0, "42501", "{sql}");
        }
    }
    // Of rows that are hidden, no word, no rank and no score: as if they were not there.
    let mine =
        "SELECT chunk_id, keyword_rank, round(keyword_score::numeric, 4) FROM socle.search('guide', 'backup tape',
                mode => 'keyword', title_weight => 5, score_statistics => 'visible')";
    let rows = format!("SELECT array_agg(t ORDER BY t) FROM ({mine}) AS t");
    let seen = as_role(&mut client, "clerk", |client| texts(client, &rows));
    changed(&mut client, "DELETE FROM guide WHERE tenant = 1");
    assert_eq!(as_role(&mut client, "clerk", |client| texts(client, &rows)), seen);
    assert!(seen[0].contains("(3,1,"), "{seen:?}");
}
