//! Similar documents, compared with brute force for several roles; and what none of `similar`, `suggest` and `facets` takes.

use super::{as_role, drain, listening, texts, value, with_papers};
use crate::sqlstate;
use postgres::Client;
use socle_tests::error_of;

/// Ids of similar papers; `arguments` are those after the corpus.
fn similar(client: &mut Client, arguments: &str) -> Vec<String> {
    texts(client, &format!("SELECT source_key->>'id' FROM socle.similar('paper', {arguments})"))
}

const ROLES: &str =
    "CREATE ROLE reader; CREATE ROLE clerk; CREATE ROLE stranger; GRANT SELECT ON paper, paper_chunk TO reader;
    GRANT SELECT ON paper_chunk TO clerk, stranger; GRANT SELECT (id, title, body, tenant) ON paper TO clerk;
    CREATE POLICY seen ON paper TO reader, clerk USING (tenant <> 3); ALTER TABLE paper ENABLE ROW LEVEL SECURITY";

#[test]
fn similar_documents_are_the_nearest_of_those_that_one_may_see() {
    let (_cluster, mut client) = with_papers(600);
    client.batch_execute(ROLES).unwrap();
    // Vectors that are all different, so that the order is known.
    client
        .batch_execute(
            "SELECT socle.pause_corpus('paper'), setseed(0.4);
             UPDATE paper_chunk k SET embedding = k.embedding + n.v FROM (
                 SELECT source_id AS id, array_agg((random() - 0.5) * 0.1)::vector(384) AS v
                 FROM paper_chunk, generate_series(1, 384) GROUP BY source_id) AS n WHERE n.id = k.source_id",
        )
        .unwrap();
    for (role, seen) in [("postgres", "true"), ("reader", "p.tenant <> 3"), ("clerk", "p.tenant <> 3")] {
        for (arguments, condition) in [
            ("", "true"),
            (", filter => '{\"tenant\": [1, 2]}'", "p.tenant IN (1, 2)"),
            (", result_limit => 3, result_offset => 4", "true"),
            (", min_similarity => 0.7, result_limit => 500", "1 - (k.embedding <=> o.embedding) >= 0.7"),
        ] {
            let page = if arguments.contains("offset") {
                "OFFSET 4 LIMIT 3"
            } else if arguments.contains("500") {
                ""
            } else {
                "LIMIT 10"
            };
            let wanted = texts(
                &mut client,
                &format!(
                    "SELECT k.source_id FROM paper_chunk k JOIN paper p ON p.id = k.source_id JOIN paper_chunk o ON o.source_id = 36
                     WHERE k.source_id <> 36 AND {seen} AND {condition} ORDER BY k.embedding <=> o.embedding {page}"
                ),
            );
            let chunk: i64 = value(&mut client, "SELECT chunk_id FROM paper_chunk WHERE source_id = 36");
            let found = as_role(&mut client, role, |client| {
                let by_chunk = similar(client, &format!("chunk_id => {chunk}{arguments}"));
                assert_eq!(similar(client, &format!("'{{\"id\": 36}}'{arguments}")), by_chunk);
                by_chunk
            });
            assert!(!wanted.is_empty());
            assert_eq!(found, wanted, "{role}{arguments}");
        }
    }
    // Of a hidden document the same is said as of one that does not exist, and of a chunk too.
    let hidden: i64 =
        value(&mut client, "SELECT chunk_id FROM paper_chunk JOIN paper ON id = source_id WHERE tenant = 3 LIMIT 1");
    as_role(&mut client, "reader", |client| {
        for arguments in [
            "'{\"id\": 3}'".to_string(),
            "'{\"id\": -1}'".into(),
            format!("chunk_id => {hidden}"),
            "chunk_id => -1".into(),
        ] {
            assert_eq!(similar(client, &arguments), Vec::<String>::new(), "{arguments}");
        }
    });
    let refused =
        |client: &mut Client| sqlstate(client.query("SELECT * FROM socle.similar('paper', '{\"id\": 36}')", &[]));
    assert_eq!(as_role(&mut client, "stranger", refused), "42501");
    let row = client.query_one("SELECT corpus_name, title, content, score, stale FROM socle.similar('paper', '{\"id\": 36}', result_limit => 1)", &[]).unwrap();
    assert_eq!((row.get::<_, &str>(0), row.get::<_, bool>(4)), ("paper", false));
    assert!(row.get::<_, &str>(2).starts_with("The ") && row.get::<_, f64>(3) > 0.5);
}

#[test]
fn a_document_of_several_chunks_is_compared_as_a_whole_and_never_found() {
    let (cluster, mut client) = with_papers(30);
    client
        .batch_execute(
            "INSERT INTO paper SELECT 100, 'long', string_agg(sentence(i), ' '), 1, 1 FROM generate_series(1, 60) i;
             INSERT INTO paper SELECT 101, 'longer', string_agg(sentence(i), ' '), 1, 1 FROM generate_series(1, 120) i;
             SELECT socle.alter_corpus('paper', max_tokens => 32)",
        )
        .unwrap();
    client.batch_execute("CALL socle.sync_corpus('paper')").unwrap();
    assert!(value::<i64>(&mut client, "SELECT count(*) FROM paper_chunk WHERE source_id = 100") > 5);
    let found = similar(&mut client, "'{\"id\": 100}', result_limit => 50");
    assert_eq!(found.len(), 31, "each document once, itself not");
    assert_eq!(found[0], "101");
    assert!(
        !similar(&mut client, "'{\"id\": 100}', result_limit => 500, group_by_document => false")
            .contains(&"100".to_string())
    );
    let mean = "SELECT 1 - (k.embedding <=> (SELECT avg(l2_normalize(o.embedding)) FROM paper_chunk o WHERE o.source_id = 100))
                FROM paper_chunk k WHERE k.source_id <> 100 ORDER BY 1 DESC LIMIT 1";
    let best = "SELECT score FROM socle.similar('paper', '{\"id\": 100}', result_limit => 1)";
    let (mean, best): (f64, f64) = (value(&mut client, mean), value(&mut client, best));
    assert!((mean - best).abs() < 1e-6, "{mean} {best}");

    // A document whose change waits is compared as it was, and one that waits is not found.
    let (mut listener, told) = listening(&cluster);
    client
        .batch_execute(
            "SELECT socle.pause_corpus('paper'); UPDATE paper SET body = 'all about tax law' WHERE id IN (100, 101)",
        )
        .unwrap();
    assert!(!similar(&mut listener, "'{\"id\": 100}'").contains(&"101".to_string()));
    let said = drain(&told);
    assert!(said.contains("compared as it was") && said.contains("1 result of corpus \"paper\" left out"), "{said}");
    assert_eq!(similar(&mut listener, "'{\"id\": 100}', stale => 'show'")[0], "101");
    client.batch_execute("DELETE FROM paper WHERE id = 100").unwrap();
    assert_eq!(similar(&mut client, "'{\"id\": 100}'"), Vec::<String>::new());
}

/// Texts are compared as documents of the corpus would be, a vector as it is, under the same rights.
#[test]
fn similar_to_texts_and_vectors_is_what_their_mean_is_nearest_to() {
    let (_cluster, mut client) = with_papers(200);
    client.batch_execute(ROLES).unwrap();
    let mean = "(SELECT l2_normalize(l2_normalize(socle.embed('The fox hunts.', 'minilm')) + l2_normalize(socle.embed('An oak', 'minilm'))))";
    for (role, seen) in [("postgres", "true"), ("reader", "p.tenant <> 3"), ("clerk", "p.tenant <> 3")] {
        let nearest = format!(
            "SELECT round((1 - (k.embedding <=> {mean}))::numeric, 4) FROM paper_chunk k JOIN paper p ON p.id = k.source_id
             WHERE {seen} AND p.tenant < 5 ORDER BY k.embedding <=> {mean} LIMIT 10"
        );
        let wanted = texts(&mut client, &nearest);
        as_role(&mut client, role, |client| {
            for origin in
                ["texts => ARRAY['The fox hunts.', NULL, 'An oak']".to_string(), format!("embedding => {mean}")]
            {
                let found = format!(
                    "SELECT round(score::numeric, 4) FROM socle.similar('paper', {origin}, filter => '{{\"tenant\": {{\"<\": 5}}}}')"
                );
                assert_eq!(texts(client, &found), wanted, "{role}, {origin}");
            }
        });
    }
    // Nothing is left out, unlike the document that others are compared with.
    let body: String = value(&mut client, "SELECT body FROM paper WHERE id = 36");
    let same = format!("texts => ARRAY['{body}'], result_limit => 200, min_similarity => 0.999");
    assert!(similar(&mut client, &same).contains(&"36".to_string()));
    client.batch_execute("SET socle.truncate_input = on").unwrap();
    assert_eq!(similar(&mut client, "texts => ARRAY[repeat('fox ', 1000)]").len(), 10);
    let stranger =
        |client: &mut Client| sqlstate(client.query("SELECT * FROM socle.similar('paper', texts => '{fox}')", &[]));
    assert_eq!(as_role(&mut client, "stranger", stranger), "42501");
}

/// Arguments that `similar` refuses, the SQLSTATE, and words of the message.
const REFUSED: [(&str, &str, &str); 21] = [
    ("'nowhere', '{\"id\": 1}'", "42704", "corpus \"nowhere\" does not exist"),
    ("'paper'", "22023", "exactly one of source_key, chunk_id, texts and embedding"),
    ("'paper', '{\"id\": 1}', 1", "22023", "exactly one of source_key, chunk_id, texts and embedding"),
    ("'paper', chunk_id => 1, texts => '{fox}'", "22023", "exactly one of source_key"),
    ("'paper', texts => '{}'", "22023", "texts must not be empty"),
    ("'paper', texts => '{NULL}'", "22023", "texts must not be empty"),
    ("'paper', texts => ARRAY['fox', ' ']", "22023", "element 2 of texts must not be empty"),
    ("'paper', texts => array_fill('fox'::text, ARRAY[1001])", "22023", "at most 1000 elements"),
    ("'paper', texts => ARRAY[NULL, repeat('fox ', 1000)]", "54000", "element 2 of texts"),
    (
        "'paper', embedding => '[1,2,3]'",
        "22023",
        "embedding has 3 dimensions, the vectors of corpus \"paper\" have 384",
    ),
    ("'paper', embedding => array_fill(0, ARRAY[384])::vector", "22023", "embedding has no direction"),
    ("'paper', '1'", "22023", "source_key must be an object with the columns \"id\""),
    ("'paper', '{}'", "22023", "source_key must be an object with the columns \"id\""),
    ("'paper', '{\"id\": 1, \"tenant\": 2}'", "22023", "source_key must be an object with the columns \"id\""),
    ("'paper', '{\"id\": null}'", "22023", "source_key must be an object with the columns \"id\""),
    ("'paper', '{\"id\": \"one\"}'", "22023", "source_key, column \"id\": invalid input syntax"),
    ("'paper', '{\"id\": [1]}'", "22023", "source_key, column \"id\""),
    ("'paper', '{\"id\": -1}', filter => '{\"colour\": 1}'", "42703", "colour"),
    ("'paper', '{\"id\": 1}', result_limit => -1", "22023", "result_limit must be between 0 and"),
    ("'paper', '{\"id\": 1}', min_similarity => 'NaN'", "22023", "must be a number, not NaN"),
    ("'paper', '{\"id\": 1}', stale => 'hide'", "22023", "stale \"hide\" does not exist"),
];

#[test]
fn what_is_no_document_is_refused_by_name() {
    let (_cluster, mut client) = with_papers(30);
    for (arguments, state, words) in REFUSED {
        let error = client.query(&format!("SELECT * FROM socle.similar({arguments})"), &[]).err();
        let (code, message, ..) = error_of(&error.unwrap_or_else(|| panic!("similar({arguments}) succeeds")));
        assert!(code == state && message.contains(words), "similar({arguments}): {code} {message}");
    }
    for (arguments, state, words) in [
        ("'nowhere', 'fox', '{tenant}'", "42704", "corpus \"nowhere\" does not exist"),
        ("'paper', 'fox', '{colour}'", "42703", "facet column \"colour\" does not exist"),
        ("'paper', 'fox', '{}', ranges => '{\"colour\": [1]}'", "42703", "range column \"colour\" does not exist"),
        (
            "'paper', 'fox', '{}', ranges => '{\"level\": [\"x\"]}'",
            "22023",
            "ranges of column \"level\": invalid input syntax",
        ),
        ("'paper', 'fox', '{}', ranges => '[1]'", "22023", "ranges must be an object"),
        ("'paper', 'fox', '{}', value_limit => -1", "22023", "value_limit must be between 0 and"),
        ("'paper', 'fox', '{}', mode => 'telepathy'", "22023", "mode \"telepathy\" does not exist"),
        ("'paper', 'fox', '{}', min_similarity => 0.5", "22023", "min_similarity has no meaning in mode \"keyword\""),
        ("'paper', NULL, '{}', filter => '{\"tenant\": true}'", "42804", "tenant"),
    ] {
        let error = client.query(&format!("SELECT * FROM socle.facets({arguments})"), &[]).err();
        let (code, message, ..) = error_of(&error.unwrap_or_else(|| panic!("facets({arguments}) succeeds")));
        assert!(code == state && message.contains(words), "facets({arguments}): {code} {message}");
    }
    for (sql, state) in [
        ("SELECT * FROM socle.suggest('nowhere', 'fo')", "42704"),
        ("SELECT * FROM socle.suggest('paper', 'fo', -1)", "22023"),
        ("SELECT * FROM socle.suggest('paper', 'fo', 101)", "22023"),
        ("SELECT * FROM socle.suggest('paper', repeat('fo', 10000))", "54000"),
    ] {
        assert_eq!(sqlstate(client.query(sql, &[])), state, "{sql}");
    }
    for nothing in [
        "socle.similar(NULL, '{\"id\": 1}')",
        "socle.similar('paper', '{\"id\": 1}', result_limit => 0)",
        "socle.suggest(NULL, 'fo')",
        "socle.suggest('paper', NULL)",
        "socle.suggest('paper', ' ')",
        "socle.suggest('paper', 'fo', 0)",
        "socle.facets(NULL, 'fox', '{tenant}')",
    ] {
        assert_eq!(value::<i64>(&mut client, &format!("SELECT count(*) FROM {nothing}")), 0, "{nothing}");
    }
}
