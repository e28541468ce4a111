//! Facets are exact: for every column, query, filter and role they are what SQL counts.

use super::{as_role, drain, listening, texts, value, wait, with_papers};
use crate::sqlstate;
use postgres::Client;
use socle_tests::Cluster;

fn with_goods() -> (Cluster, Client) {
    let cluster = Cluster::with_models("");
    let mut client = cluster.connect();
    client
        .batch_execute(
            "CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy'); CREATE DOMAIN stars AS int CHECK (VALUE < 100);
             CREATE ROLE reader; CREATE ROLE clerk; CREATE ROLE stranger;
             CREATE TABLE paper (id int PRIMARY KEY, body text, tenant int, price numeric, seen_at timestamptz, made date, tags text[],
                                 meta jsonb, old json, mood mood, rating stars, place point, label text, \"odd \"\"name\" boolean);
             INSERT INTO paper SELECT i, format('The %s beside the %s.', (ARRAY['fox', 'wolf', 'raven'])[1 + i % 3], (ARRAY['river', 'oak'])[1 + i % 2]),
                 i % 5, CASE WHEN i % 7 > 0 THEN (i % 40) / 2.0 END, '2024-01-01 UTC'::timestamptz + i * interval '1 day', '2024-01-01'::date + i % 9,
                 (ARRAY['{a}', '{a,b,a}', '{}', NULL, '{b,NULL}'])[1 + i % 5]::text[], jsonb_build_object('k', i % 2), '{\"k\": 1}',
                 (ARRAY['sad', 'ok', 'happy', NULL])[1 + i % 4]::mood, i % 6, point(i, i), 'label ' || i, i % 3 = 0
             FROM generate_series(1, 700) i;
             SELECT socle.create_corpus('paper', 'paper', ARRAY['body'], language => 'en', model => 'minilm', template => '{content}');
             GRANT SELECT ON paper, paper_chunk TO reader; GRANT SELECT ON paper_chunk TO clerk, stranger;
             GRANT SELECT (id, body, tenant, price) ON paper TO clerk;
             CREATE POLICY seen ON paper TO reader, clerk USING (tenant <> 3); ALTER TABLE paper ENABLE ROW LEVEL SECURITY",
        )
        .unwrap();
    client.batch_execute("CALL socle.sync_corpus('paper')").unwrap();
    (cluster, client)
}

/// The lines of facets; `arguments` are those after the corpus.
fn facets(client: &mut Client, arguments: &str) -> Vec<String> {
    let sql = "SELECT concat_ws(' ', coalesce(column_name, 'all'), value::text, '[' || lower_bound::text || ',', ',' || upper_bound::text || ')', document_count)";
    texts(client, &format!("{sql} FROM socle.facets('paper', {arguments})"))
}

#[test]
fn documents_are_counted_by_value_and_range() {
    let (_cluster, mut client) = with_goods();
    let client = &mut client;
    assert_eq!(facets(client, "NULL, NULL"), ["all 700"]);
    assert_eq!(facets(client, "'fox', '{tenant}', 2"), ["all 233", "tenant 1 47", "tenant 3 47"]);
    assert_eq!(
        facets(client, "'  ', '{mood,rating}', 2"),
        ["all 700", "mood \"sad\" 175", "mood \"ok\" 175", "rating 1 117", "rating 2 117"]
    );
    assert_eq!(
        facets(client, "NULL, '{mood}', 3, filter => '{\"mood\": [null, \"sad\"]}'"),
        ["all 350", "mood \"sad\" 175", "mood null 175"]
    );
    // Each element of an array once for a document; an array without elements has none, NULL is a value.
    assert_eq!(facets(client, "NULL, '{tags}'"), ["all 700", "tags \"a\" 280", "tags \"b\" 280", "tags null 280"]);
    assert_eq!(
        facets(client, "NULL, '{meta,old}'"),
        ["all 700", "meta {\"k\": 0} 350", "meta {\"k\": 1} 350", "old {\"k\": 1} 700"]
    );
    assert_eq!(
        facets(client, "NULL, ARRAY['odd \"name', NULL, 'odd \"name']"),
        ["all 700", "odd \"name false 467", "odd \"name true 233"]
    );
    assert_eq!(facets(client, "NULL, '{label}', 0"), ["all 700"]);
    assert_eq!(facets(client, "NULL, '{made}', 1, filter => '{\"id\": 5}'"), ["all 1", "made \"2024-01-06\" 1"]);
    // Ranges, in whatever order their bounds are given.
    assert_eq!(
        facets(client, "NULL, '{}', ranges => '{\"price\": [15, 5, 15]}'"),
        ["all 700", "price ,5) 154", "price [5, ,15) 301", "price [15, 145", "price null 100"]
    );
    assert_eq!(
        facets(client, "'fox', NULL, ranges => '{\"rating\": [2, 90], \"made\": [\"2024-01-04\"]}'"),
        [
            "all 233",
            "made ,\"2024-01-04\") 77",
            "made [\"2024-01-04\", 156",
            "rating ,2) 116",
            "rating [2, ,90) 117",
            "rating [90, 0"
        ]
    );
    client.batch_execute("SET timezone = 'UTC'").unwrap();
    assert_eq!(
        facets(client, "NULL, NULL, ranges => '{\"seen_at\": [\"2024-01-03\"]}'"),
        ["all 700", "seen_at ,\"2024-01-03T00:00:00+00:00\") 1", "seen_at [\"2024-01-03T00:00:00+00:00\", 699"]
    );
    assert_eq!(sqlstate(client.query("SELECT * FROM socle.facets('paper', NULL, '{place}')", &[])), "42804");
    assert_eq!(
        sqlstate(client.query("SELECT * FROM socle.facets('paper', NULL, NULL, ranges => '{\"tags\": [\"a\"]}')", &[])),
        "42804"
    );
}

/// For every role, query and filter, what SQL counts over the rows that the role may see.
#[test]
fn facets_count_what_one_may_see_and_nothing_else() {
    let (cluster, mut client) = with_goods();
    let queries = [
        ("NULL", "true"),
        ("'fox'", "body LIKE '%fox%'"),
        ("'fox oak'", "body ~ 'fox|oak'"),
        ("'+wolf -oak', query_syntax => 'operators'", "body LIKE '%wolf%' AND body NOT LIKE '%oak%'"),
        ("'nothing like that'", "false"),
    ];
    let filters =
        [("", "true"), (", filter => '{\"price\": {\">\": 9}, \"tenant\": {\"<>\": 1}}'", "price > 9 AND tenant <> 1")];
    let mut count = 0;
    for (role, seen) in [("postgres", "true"), ("reader", "tenant <> 3"), ("clerk", "tenant <> 3")] {
        for (query, matches) in queries {
            for (filter, passes) in filters {
                let (query, syntax) = query.split_once(", ").unwrap_or((query, ""));
                let comma = if syntax.is_empty() { "" } else { ", " };
                let arguments =
                    format!("{query}, '{{tenant}}', 100{comma}{syntax}{filter}, ranges => '{{\"price\": [4, 12]}}'");
                let rows = format!("FROM paper WHERE ({seen}) AND ({matches}) AND ({passes})");
                let mut wanted = texts(&mut client, &format!("SELECT 'all ' || count(*) {rows}"));
                wanted.extend(texts(&mut client, &format!("SELECT concat_ws(' ', 'tenant', tenant, count(*)) {rows} GROUP BY tenant ORDER BY count(*) DESC, tenant")));
                for (bounds, range) in
                    [(",4)", "price < 4"), ("[4, ,12)", "price >= 4 AND price < 12"), ("[12,", "price >= 12")]
                {
                    wanted.extend(texts(
                        &mut client,
                        &format!("SELECT 'price {bounds} ' || count(*) {rows} AND {range}"),
                    ));
                }
                wanted.extend(texts(
                    &mut client,
                    &format!("SELECT 'price null ' || count(*) {rows} AND price IS NULL HAVING count(*) > 0"),
                ));
                let found = as_role(&mut client, role, |client| facets(client, &arguments));
                assert_eq!(found, wanted, "{role}: {arguments}");
                count += wanted.len();
            }
        }
    }
    assert!(count > 150, "{count}");
    rights_and_changes(&cluster, &mut client);
}

fn rights_and_changes(cluster: &Cluster, client: &mut Client) {
    // A column that one may not read, whatever is asked of it.
    for arguments in [
        "NULL, '{label}'",
        "NULL, '{label}', 0",
        "'fox', '{tenant,mood}'",
        "NULL, NULL, ranges => '{\"made\": [\"2024-01-01\"]}'",
    ] {
        let refused = |client: &mut Client| {
            sqlstate(client.query(&format!("SELECT * FROM socle.facets('paper', {arguments})"), &[]))
        };
        assert_eq!(as_role(client, "clerk", refused), "42501", "{arguments}");
        assert_eq!(as_role(client, "stranger", refused), "42501", "{arguments}");
    }
    // The candidates of the other modes.
    assert_eq!(facets(client, "'fox', NULL, mode => 'vector', candidate_count => 50"), ["all 50"]);
    let seen = as_role(client, "reader", |client| {
        facets(client, "'fox', '{tenant}', mode => 'hybrid', candidate_count => 400")
    });
    assert!(seen.len() == 5 && !seen.iter().any(|line| line.starts_with("tenant 3 ")), "{seen:?}");
    assert_eq!(facets(client, "'fox', NULL, mode => 'vector', min_similarity => 1.1"), ["all 0"]);
    // Rows that the reader does not see change nothing.
    let arguments = "'fox', '{tenant,mood,tags,price,label}', 50, ranges => '{\"price\": [4, 12]}'";
    let before = as_role(client, "reader", |client| facets(client, arguments));
    client.batch_execute("INSERT INTO paper (id, body, tenant, price, tags) SELECT i, 'The fox.', 3, 7, '{secret}' FROM generate_series(1001, 1300) i").unwrap();
    wait(client);
    assert_eq!(as_role(client, "reader", |client| facets(client, arguments)), before);
    assert_eq!(facets(client, "'fox', '{tags}', 1"), ["all 533", "tags \"secret\" 300"]);
    // What has changed and waits is left out, and said to those who may see it.
    client.batch_execute("SELECT socle.pause_corpus('paper'); UPDATE paper SET body = 'x' WHERE id BETWEEN 1001 AND 1010; GRANT reader TO postgres").unwrap();
    let (mut listener, told) = listening(cluster);
    assert_eq!(facets(&mut listener, "'fox', NULL"), ["all 523"]);
    assert!(drain(&told).contains("10 results of corpus \"paper\" left out"));
    assert_eq!(as_role(&mut listener, "reader", |client| facets(client, arguments)), before);
    assert!(!drain(&told).contains("left out"));
    client
        .batch_execute(
            "CREATE TABLE young (id int PRIMARY KEY, body text, tenant int); INSERT INTO young VALUES (1, 'a fox', 1);
             BEGIN; SELECT socle.create_corpus('young', 'young', ARRAY['body'], model => 'minilm')",
        )
        .unwrap();
    // Without a query, rows count that have no chunks yet.
    let sql = "SELECT count(*) FROM socle.facets('young', NULL, '{tenant}') WHERE document_count = 1";
    assert_eq!(value::<i64>(client, sql), 2);
    assert_eq!(value::<i64>(client, "SELECT document_count FROM socle.facets('young', 'fox', NULL)"), 0);
    client.batch_execute("ROLLBACK").unwrap();
}

/// A prefix stands for the 100 most common words: of those that the reader may see, who sees more than are listed for a search.
#[test]
fn hidden_words_do_not_crowd_out_those_of_a_prefix() {
    let (_cluster, mut client) = with_papers(6_000);
    client
        .batch_execute(
            "CREATE ROLE reader; GRANT SELECT ON paper, paper_chunk TO reader; CREATE POLICY seen ON paper TO reader USING (tenant <> 9);
             ALTER TABLE paper ENABLE ROW LEVEL SECURITY;
             INSERT INTO paper SELECT 10000 + i, 'word', 'zab' || translate(i::text, '0123456789', 'abcdefghij'), 1, 1 FROM generate_series(1, 100) i",
        )
        .unwrap();
    wait(&mut client);
    let sql = "SELECT document_count FROM socle.facets('paper', 'zab*', NULL)";
    let seen = |client: &mut Client| as_role(client, "reader", |client| value::<i64>(client, sql));
    assert_eq!(seen(&mut client), 100);
    client
        .batch_execute(
            "INSERT INTO paper SELECT 20000 + i, 'hidden', 'zabx' || translate((i % 70)::text, '0123456789', 'abcdefghij'), 9, 1 FROM generate_series(1, 210) i",
        )
        .unwrap();
    wait(&mut client);
    assert_eq!(seen(&mut client), 100);
    assert!(value::<i64>(&mut client, sql) < 310, "the test would see it");
}
