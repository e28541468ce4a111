//! Groups by a column and by document, and the number of results of all pages.

use super::{MODES, found, value, wait, with_papers};
use postgres::Client;

/// Values of a column of the results, in order.
fn of(client: &mut Client, column: &str, arguments: &str) -> Vec<Option<String>> {
    let sql = format!(
        "SELECT p.{column}::text FROM socle.search('paper', {arguments}) WITH ORDINALITY AS s JOIN paper p ON p.id = (source_key->>'id')::int ORDER BY s.ordinality"
    );
    let rows = client.query(&sql, &[]).unwrap_or_else(|error| panic!("{arguments}: {error:?}"));
    rows.iter().map(|row| row.get(0)).collect()
}

fn total(client: &mut Client, arguments: &str) -> i64 {
    let sql = format!("SELECT max(total_count) FROM socle.search('paper', {arguments}, count_total => true)");
    value(client, &sql)
}

#[test]
fn groups_are_the_best_of_each_value() {
    let (_cluster, mut client) = with_papers(400);
    for mode in MODES {
        let query = format!("'a fox hunts', mode => '{mode}', result_limit => 400, candidate_count => 1000");
        let all = found(&mut client, &query);
        for size in [1, 2, 30] {
            let mut counts = [0; 7];
            let mut wanted = all.clone();
            wanted.retain(|id| {
                let count = &mut counts[usize::try_from(id % 7).unwrap()];
                *count += 1;
                *count <= size
            });
            let grouped = found(&mut client, &format!("{query}, group_by => 'tenant', group_size => {size}"));
            assert_eq!(grouped, wanted, "{mode}, {size}");
        }
        let by_document = found(&mut client, &format!("{query}, group_by_document => true, group_size => 3"));
        assert_eq!(by_document, all, "{mode}: each paper is one chunk");
    }
    // The hundred nearest are of one tenant: looks on until there are enough, and no further than there are groups.
    client
        .batch_execute(
            "INSERT INTO paper SELECT i, 'near', 'Foxes hunting.', 99, 1 FROM generate_series(1000, 1299) i;
             INSERT INTO paper SELECT i, 'none', 'Foxes hunting!', NULL, 1 FROM generate_series(1300, 1302) i",
        )
        .unwrap();
    wait(&mut client);
    for (size, wanted) in [(1, 11), (2, 19)] {
        let query = format!(
            "'foxes hunting', mode => 'vector', result_limit => 50, group_by => 'tenant', group_size => {size}"
        );
        let tenants = of(&mut client, "tenant", &query);
        // Each row without a tenant is a group of its own.
        assert_eq!(
            (tenants.len(), tenants.iter().filter(|tenant| tenant.is_none()).count()),
            (wanted, 3),
            "{tenants:?}"
        );
    }
    let query = "'foxes hunting', mode => 'vector', result_limit => 9, group_by => 'tenant'";
    let boosted = format!("{query}, boost => '{{\"column\": \"id\", \"function\": \"logarithm\"}}'");
    for query in [query, &boosted] {
        let whole = of(&mut client, "id", query);
        let pages: Vec<_> = [0, 3, 6]
            .iter()
            .flat_map(|offset| {
                let page = query.replace("result_limit => 9", &format!("result_limit => 3, result_offset => {offset}"));
                of(&mut client, "id", &page)
            })
            .collect();
        assert_eq!((whole.len(), &pages), (9, &whole), "{query}");
    }
}

#[test]
fn values_are_equal_as_their_type_says_and_groups_reach_across_corpora() {
    let (_cluster, mut client) = with_papers(1);
    client
        .batch_execute(
            "CREATE TYPE grade AS ENUM ('low', 'high');
             ALTER TABLE paper ADD price numeric, ADD kind grade, ADD code char(6), ADD tags text[], ADD meta jsonb, ADD raw json, ADD place point;
             DELETE FROM paper;
             INSERT INTO paper SELECT i, 'paper', sentence(i), 1, 1, CASE WHEN i % 2 = 0 THEN '1.0' ELSE '1.00' END::numeric, (ARRAY['low', 'high'])[1 + i % 2]::grade,
                     'ab', ARRAY['x', (i % 2)::text], jsonb_build_object('a', i % 2) FROM generate_series(1, 20) i;
             CREATE TABLE letter (id int PRIMARY KEY, body text, price int, kind text);
             INSERT INTO letter SELECT i, sentence(i), 1 + i % 2, 'low' FROM generate_series(1, 10) i;
             SELECT socle.create_corpus('letter', 'letter', '{body}', model => 'minilm')",
        )
        .unwrap();
    wait(&mut client);
    client.batch_execute("CALL socle.sync_corpus('letter')").unwrap();
    for (column, groups) in [("price", 1), ("kind", 2), ("code", 1), ("tags", 2), ("meta", 2), ("id", 10)] {
        assert_eq!(found(&mut client, &format!("'fox', group_by => '{column}'")).len(), groups, "{column}");
    }
    let both = |client: &mut Client, column: &str| -> i64 {
        let sql = format!(
            "SELECT count(*) FROM socle.search(ARRAY['paper', 'letter'], 'fox', mode => 'vector', result_limit => 30, group_by => '{column}')"
        );
        value(client, &sql)
    };
    assert_eq!(both(&mut client, "kind"), 2);
    assert_eq!(both(&mut client, "id"), 20);
    for column in ["raw", "place"] {
        let error = super::try_found(&mut client, &format!("'fox', group_by => '{column}'")).unwrap_err();
        let (code, message, ..) = socle_tests::error_of(&error);
        assert_eq!((code.as_str(), message), ("42804", format!("group_by is not possible on column \"{column}\"")));
    }
    let missing = "SELECT socle.search(ARRAY['paper', 'letter'], 'fox', group_by => 'tenant')";
    let (code, message, detail, _) = socle_tests::error_of(&client.batch_execute(missing).unwrap_err());
    assert_eq!((code.as_str(), message.as_str()), ("42703", "group_by column \"tenant\" does not exist"));
    assert!(detail.contains("corpus \"letter\""), "{detail}");
}

#[test]
fn the_results_of_all_pages_are_counted() {
    let (_cluster, mut client) = with_papers(1_000);
    client.batch_execute("CALL socle.sync_corpus('paper')").unwrap();
    let foxes: i64 = value(&mut client, "SELECT count(*) FROM paper WHERE body LIKE '%fox%'");
    assert_eq!(foxes, 200);
    let fox = "'fox', mode => 'keyword'";
    for page in [
        "",
        ", result_limit => 3, result_offset => 6",
        ", candidate_count => 20",
        ", result_limit => 500",
        ", diversity => 0.5",
    ] {
        assert_eq!(total(&mut client, &format!("{fox}{page}")), 200, "{page}");
    }
    assert_eq!(
        total(&mut client, &format!("{fox}, filter => '{{\"tenant\": 3}}'")),
        value::<i64>(&mut client, "SELECT count(*) FROM paper WHERE body LIKE '%fox%' AND tenant = 3")
    );
    assert_eq!(total(&mut client, &format!("{fox}, group_by_document => true")), 200);
    assert_eq!(total(&mut client, &format!("{fox}, group_by => 'tenant', group_size => 2, result_limit => 2")), 14);
    assert_eq!(total(&mut client, &format!("{fox}, rerank_model => 'reranker', rerank_count => 12")), 12);
    let both = "SELECT max(total_count) FROM socle.search(ARRAY['paper', 'paper'], 'fox', mode => 'keyword', count_total => true)";
    assert_eq!(value::<i64>(&mut client, both), 200);
    // What is below a threshold is on no page, and what waits is no result.
    let least: f64 = value(
        &mut client,
        "SELECT score FROM socle.search('paper', 'fox river', mode => 'keyword', result_limit => 1)",
    );
    let all = value::<i64>(&mut client, "SELECT count(*) FROM paper WHERE body LIKE '%fox%river%'");
    assert_eq!(total(&mut client, &format!("'fox river', mode => 'keyword', min_score => {}", least - 1e-6)), all);
    client.batch_execute("SELECT socle.pause_corpus('paper'); UPDATE paper SET body = 'Other foxes.' WHERE id = 5; DELETE FROM paper WHERE id = 10").unwrap();
    assert_eq!(total(&mut client, fox), 198);
    assert_eq!(total(&mut client, &format!("{fox}, stale => 'show'")), 199);
    // By vectors, candidates are counted.
    assert_eq!(total(&mut client, "'fox', mode => 'vector', candidate_count => 150"), 150);
    let similar = "'a fox sleeps', min_similarity => 0.6, candidate_count => 1000";
    let all = found(&mut client, &format!("{similar}, result_limit => 1000")).len();
    assert!((10..900).contains(&all), "{all}");
    assert_eq!(total(&mut client, similar), i64::try_from(all).unwrap());
    let unasked = "SELECT bool_and(total_count IS NULL) FROM socle.search('paper', 'fox', mode => 'keyword')";
    assert!(value::<bool>(&mut client, unasked));
    let explained = "SELECT detail FROM socle.explain_search('paper', 'fox', mode => 'keyword', count_total => true) WHERE step = 'count'";
    assert_eq!(value::<String>(&mut client, explained), "198 results on all pages");
}
