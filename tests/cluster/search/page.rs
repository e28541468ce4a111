//! Pages of a ranking, thresholds, snippets, and how queries are read.

use super::{MODES, found, value, with_papers};
use crate::sqlstate;

#[test]
fn pages_are_parts_of_one_ranking() {
    let (_cluster, mut client) = with_papers(120);
    for mode in MODES {
        for more in [
            "",
            ", group_by_document => true",
            ", diversity => 0.2",
            ", filter => '{\"level\": [1, 2]}'",
            ", boost => '{\"column\": \"level\", \"decay\": \"linear\", \"origin\": 2, \"scale\": 3}'",
            ", group_by => 'tenant', group_size => 3",
            ", group_by => 'tenant', group_size => 3, boost => '{\"column\": \"id\", \"function\": \"logarithm\"}'",
        ] {
            let query = format!("'a fox hunts beside the river', mode => '{mode}'{more}");
            let whole = found(&mut client, &format!("{query}, result_limit => 30"));
            let mut pages = Vec::new();
            for offset in [0, 7, 14, 21, 28] {
                pages.extend(found(&mut client, &format!("{query}, result_limit => 7, result_offset => {offset}")));
            }
            pages.truncate(whole.len());
            assert_eq!(pages, whole, "{query}");
        }
    }
    assert!(found(&mut client, "'fox', mode => 'keyword', result_offset => 10000").is_empty());
    client.batch_execute("SET standard_conforming_strings = off").unwrap();
    assert_eq!(found(&mut client, "'fox', result_limit => 1").len(), 1);
    client.batch_execute("RESET standard_conforming_strings").unwrap();
    assert!(found(&mut client, "'fox', result_limit => 0, result_offset => 3").is_empty());
    let refused = |client: &mut postgres::Client, arguments: &str| {
        assert_eq!(sqlstate(client.batch_execute(&format!("SELECT socle.search('paper', {arguments})"))), "22023");
    };
    refused(&mut client, "'fox', result_offset => -1");
    refused(&mut client, "'fox', result_offset => 95");
    refused(&mut client, "'fox', mode => 'keyword', diversity => 0.1, result_offset => 95");
    refused(&mut client, "'fox', diversity => 0.1, group_by_document => true, result_offset => 5");
    assert_eq!(found(&mut client, "'fox', result_offset => 95, candidate_count => 105").len(), 10);
    refused(&mut client, "'fox', result_offset => 15, rerank_model => 'reranker'");
    let reranked = "'fox', mode => 'keyword', rerank_model => 'reranker', rerank_count => 12";
    let whole = found(&mut client, &format!("{reranked}, result_limit => 12"));
    let mut pages = found(&mut client, &format!("{reranked}, result_limit => 6"));
    pages.extend(found(&mut client, &format!("{reranked}, result_limit => 6, result_offset => 6")));
    assert_eq!(pages, whole);
    let skipped = "SELECT string_agg(detail, E'\n') FROM socle.explain_search('paper', 'fox', mode => 'keyword', result_offset => 3,
                       chunk_id => (SELECT chunk_id FROM socle.search('paper', 'fox', mode => 'keyword', result_limit => 1)))";
    let skipped: String = value(&mut client, skipped);
    assert!(skipped.contains("before result_offset"), "{skipped}");
}

#[test]
fn what_is_below_a_threshold_is_left_out() {
    let (_cluster, mut client) = with_papers(60);
    let least = "SELECT coalesce(min(vector_score) >= 0.5, true) AND count(*) < 60
                 FROM socle.search('paper', 'a wolf hunts', result_limit => 60, min_similarity => 0.5)";
    assert!(value::<bool>(&mut client, least));
    assert!(found(&mut client, "'a wolf hunts', min_similarity => 1").is_empty());
    assert!(found(&mut client, "'how do I cook lasagne', mode => 'vector', min_similarity => 0.5").is_empty());
    assert!(found(&mut client, "'how do I cook lasagne', rerank_model => 'reranker', min_rerank => 0").is_empty());
    assert!(
        !found(&mut client, "'the wolf hunts beside the oak', rerank_model => 'reranker', min_rerank => 0").is_empty()
    );
    for refused in [
        "'wolf', mode => 'keyword', min_similarity => 0.5",
        "'wolf', min_rerank => 0",
        "'wolf', min_similarity => 'NaN'",
        "'wolf', query_syntax => 'lucene'",
        "'wolf', snippet_length => -1",
        "'wolf', marks => '{<b>}'",
        "'wolf', marks => ARRAY['<b>', NULL]",
        "'wolf', marks => ARRAY['<b>', repeat('x', 101)]",
        "'wolf', snippet_by => 'magic'",
        "'wolf', snippet_by => 'meaning', mode => 'keyword'",
    ] {
        let sql = format!("SELECT socle.search('paper', {refused})");
        assert_eq!(sqlstate(client.batch_execute(&sql)), "22023", "{refused}");
    }
}

#[test]
fn snippets_are_marked_and_safe_in_a_page() {
    let (_cluster, mut client) = with_papers(5);
    client
        .batch_execute(
            "CREATE TABLE note (id int PRIMARY KEY, body text);
             INSERT INTO note VALUES (1, repeat('Nothing is said here. ', 6) || 'The <b>fox</b> & the badger hunt. ' || repeat('All is quiet. ', 8));
             SELECT socle.create_corpus('note', 'note', ARRAY['body'], language => 'en', model => 'minilm')",
        )
        .unwrap();
    client.batch_execute("CALL socle.sync_corpus('note')").unwrap();
    let snippet = |client: &mut postgres::Client, arguments: &str| -> Option<String> {
        client.query_one(&format!("SELECT snippet FROM socle.search('note', {arguments})"), &[]).unwrap().get(0)
    };
    assert_eq!(
        snippet(&mut client, "'badger foxes', snippet_length => 42").unwrap(),
        "… The &lt;b&gt;<mark>fox</mark>&lt;/b&gt; &amp; the <mark>badger</mark> hunt. …"
    );
    assert_eq!(snippet(&mut client, "'badger', snippet_length => 0"), None);
    let beginning = snippet(&mut client, "'zebra', mode => 'vector', snippet_length => 30").unwrap();
    assert_eq!(beginning, "Nothing is said here. …");
    assert!(snippet(&mut client, "'badger'").unwrap().chars().count() < 400);
    // Marks are what the caller says, and are not escaped.
    let marked = "'badger', snippet_length => 42, marks => ARRAY['[\"', '']";
    assert_eq!(snippet(&mut client, marked).unwrap(), "… The &lt;b&gt;fox&lt;/b&gt; &amp; the [\"badger hunt. …");
    let whole = "SELECT highlighted FROM socle.search('note', 'badger', marks => '{*,*}')";
    assert!(value::<String>(&mut client, whole).contains("the *badger* hunt"));
}

/// Where no word of the query stands, the snippet is the nearest sentence; where one does, the sentences with the words.
#[test]
fn a_snippet_by_meaning_is_the_nearest_sentence() {
    let (_cluster, mut client) = with_papers(5);
    client
        .batch_execute(
            "CREATE TABLE note (id int PRIMARY KEY, body text);
             INSERT INTO note VALUES (1, 'The station opens at noon. Trains to the coast leave every hour. A physician treats sick people in a clinic. Tickets are sold at the counter.'),
                                     (2, 'Trains run late. The doctor is in.');
             SELECT socle.create_corpus('note', 'note', ARRAY['body'], language => 'en', model => 'minilm')",
        )
        .unwrap();
    client.batch_execute("CALL socle.sync_corpus('note')").unwrap();
    let snippets = |client: &mut postgres::Client, arguments: &str| {
        let sql = format!(
            "SELECT snippet FROM socle.search('note', 'medical doctor', snippet_length => 60{arguments}) ORDER BY source_key ->> 'id'"
        );
        super::texts(client, &sql)
    };
    for mode in ["vector", "hybrid"] {
        let by_meaning = format!(", mode => '{mode}', snippet_by => 'meaning'");
        assert_eq!(
            snippets(&mut client, &by_meaning),
            ["… A physician treats sick people in a clinic. …", "Trains run late. The <mark>doctor</mark> is in."],
            "{mode}"
        );
        assert_eq!(
            snippets(&mut client, &format!(", mode => '{mode}'"))[0],
            "The station opens at noon. …",
            "the beginning, unless it is asked for"
        );
    }
    assert_eq!(found(&mut client, "'a fox', snippet_by => 'meaning', snippet_length => 0, result_limit => 2").len(), 2);
}

#[test]
fn queries_are_read_as_people_write_them_unless_operators_are_asked_for() {
    let (_cluster, mut client) = with_papers(60);
    let keyword = "mode => 'keyword', result_limit => 60";
    let all = found(&mut client, &format!("'fox hunts river', {keyword}"));
    let quoted = found(&mut client, &format!("'\"fox hunts\" river', {keyword}"));
    assert_eq!(quoted.len(), all.len(), "a phrase within a query leaves nothing out");
    let body = |client: &mut postgres::Client, id: i32| -> String {
        value(client, &format!("SELECT body FROM paper WHERE id = {id}"))
    };
    assert!(body(&mut client, quoted[0]).contains("fox hunts"));
    let strict = found(&mut client, &format!("'\"fox hunts\" river', {keyword}, query_syntax => 'operators'"));
    assert_eq!(strict.len(), 4);
    let required = found(&mut client, &format!("'+rivers fox', {keyword}, query_syntax => 'operators'"));
    assert_eq!(required.len(), 15, "each beside the river");
    let hybrid = found(&mut client, "'fox +rivers', result_limit => 60, query_syntax => 'operators'");
    assert_eq!(hybrid.len(), 15, "what an operator requires, both retrievers obey");
    let either = found(&mut client, "'raven OR \"the otter\" river', result_limit => 60, query_syntax => 'operators'");
    assert_eq!(either.len(), 24, "one of both, for both retrievers");
    let near = found(&mut client, &format!("'\"sleeps river\"~2', {keyword}, query_syntax => 'operators'"));
    assert_eq!(near.len(), 5);
    assert!(found(&mut client, &format!("'\"sleeps river\"~1', {keyword}, query_syntax => 'operators'")).is_empty());
    assert!(found(&mut client, &format!("'fox -hunts', {keyword}")).len() < all.len());
    assert_eq!(
        found(&mut client, &format!("'fox -hunts', {keyword}, query_syntax => 'plain'")),
        found(&mut client, &format!("'fox hunts', {keyword}"))
    );
}

#[test]
fn misspelt_words_are_corrected_and_named_only_to_who_may_see_them() {
    let (_cluster, mut client) = with_papers(60);
    assert_eq!(
        found(&mut client, "'glaceir badgers', mode => 'keyword'"),
        found(&mut client, "'glacier badgers', mode => 'keyword'")
    );
    let explained =
        "SELECT string_agg(detail, E'\n') FROM socle.explain_search('paper', 'ravenn zzzzzz', mode => 'keyword')";
    let told: String = value(&mut client, explained);
    assert!(told.contains("corrected: ravenn as raven"), "{told}");
    client
        .batch_execute(
            "CREATE ROLE narrow; GRANT SELECT ON paper, paper_chunk TO narrow; ALTER TABLE paper ENABLE ROW LEVEL SECURITY;
             CREATE POLICY few ON paper TO narrow USING (id < 200 AND body LIKE '%wolf%'); SET ROLE narrow",
        )
        .unwrap();
    let told: String = value(&mut client, explained);
    assert!(!told.contains("as raven"), "{told}");
    assert!(found(&mut client, "'ravenn', mode => 'keyword'").is_empty());
    // What is found for a word does not tell whether rows have it that the caller may not see.
    let calls = ["'wolff', mode => 'keyword'", "'wolfsleep', mode => 'keyword'", "'wolf -sleeps', mode => 'keyword'"];
    let before = calls.map(|call| found(&mut client, call));
    assert!(!before[0].is_empty());
    client
        .batch_execute(
            "RESET ROLE; INSERT INTO paper VALUES (200, 'hidden', 'wolff, wolfsleep, and the option -sleeps', 1, 1)",
        )
        .unwrap();
    super::wait(&mut client);
    client.batch_execute("SET ROLE narrow").unwrap();
    assert_eq!(calls.map(|call| found(&mut client, call)), before);
    // Likewise where the owner has put the policy on the chunks, and only there.
    client
        .batch_execute(
            "RESET ROLE; ALTER TABLE paper DISABLE ROW LEVEL SECURITY;
             CREATE POLICY few ON paper_chunk AS RESTRICTIVE TO narrow USING (content LIKE '%wolf %'); SET ROLE narrow",
        )
        .unwrap();
    let told: String = value(&mut client, explained);
    assert!(!told.contains("as raven"), "{told}");
    assert!(found(&mut client, "'rav*', mode => 'keyword'").is_empty());
    assert!(!found(&mut client, "'wol*', mode => 'keyword'").is_empty());
}

#[test]
fn a_prefix_stands_for_words_of_visible_chunks_alone() {
    let (_cluster, mut client) = with_papers(1);
    // More visible chunks than are listed for every search, and more hidden words than a prefix stands for.
    client
        .batch_execute(
            "INSERT INTO paper SELECT i, 'bread', 'bake bread backup', 1, 1 FROM generate_series(10, 5210) i;
             INSERT INTO paper SELECT i, 'other', 'ba' || chr(97 + i % 26) || chr(97 + i / 26 % 6) || 'q', 2, 1 FROM generate_series(6000, 6311) i;
             CREATE ROLE reader; GRANT SELECT ON paper, paper_chunk TO reader; ALTER TABLE paper ENABLE ROW LEVEL SECURITY;
             CREATE POLICY own ON paper TO reader USING (tenant = 1 AND id > 1)",
        )
        .unwrap();
    super::wait(&mut client);
    client.batch_execute("SET ROLE reader").unwrap();
    for query in ["ba*", "backup"] {
        let sql = format!(
            "SELECT max(total_count) FROM socle.search('paper', '{query}', mode => 'keyword', count_total => true)"
        );
        assert_eq!(value::<i64>(&mut client, &sql), 5_201, "{query}");
    }
    assert_eq!(value::<i64>(&mut client, "SELECT document_count FROM socle.facets('paper', 'ba*', '{}')"), 5_201);
}

/// Without row security, too: the index has the words of deleted chunks until their segment is rebuilt.
#[test]
fn words_of_deleted_rows_do_not_displace_those_of_a_prefix() {
    let (_cluster, mut client) = with_papers(1_500);
    let words = "'zu' || chr(97 + i % 26) || chr(97 + i / 26 % 26) || 'q'";
    client
        .batch_execute(&format!(
            "INSERT INTO paper SELECT i, 'live', {words}, 1, 1 FROM generate_series(2000, 2059) i;
             INSERT INTO paper SELECT i + 1000 * n, 'gone', {words}, 1, 1 FROM generate_series(3000, 3149) i, generate_series(1, 2) n"
        ))
        .unwrap();
    super::wait(&mut client);
    client.batch_execute("DELETE FROM paper WHERE title = 'gone'").unwrap();
    super::wait(&mut client);
    for more in ["", ", filter => '{\"level\": 1}'"] {
        let live = found(&mut client, &format!("'zu*', mode => 'keyword', result_limit => 100{more}"));
        assert_eq!(live.len(), 60, "{more}");
    }
    assert_eq!(value::<i64>(&mut client, "SELECT document_count FROM socle.facets('paper', 'zu*', '{}')"), 60);
    assert_eq!(value::<i64>(&mut client, "SELECT count(*) FROM socle.suggest('paper', 'zu', 20)"), 20);
}
