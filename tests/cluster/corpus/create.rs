//! What cannot be a corpus is refused at once, with an error that says why.

use super::{settle, value, with_corpus};
use socle_tests::{Cluster, error_of};

/// Arguments, SQLSTATE and a part of the message.
const REFUSED: &[(&str, &str, &str)] = &[
    ("'c', 'no_key', ARRAY['body'], model => 'minilm'", "42809", "has no primary key"),
    ("'c', 'a_view', ARRAY['body'], model => 'minilm'", "42809", "it is a view"),
    ("'c', 'a_matview', ARRAY['body'], model => 'minilm'", "42809", "it is a materialized view"),
    ("'c', 'a_temp', ARRAY['body'], model => 'minilm'", "42809", "it is a temporary table"),
    ("'c', 'pg_class', ARRAY['relname'], model => 'minilm'", "42809", "it is a system catalog"),
    ("'c', 'article_pkey', ARRAY['body'], model => 'minilm'", "42809", "it is not a table"),
    (
        "'c', 'article', ARRAY['nope'], model => 'minilm'",
        "42703",
        "column \"nope\" of table \"article\" does not exist",
    ),
    (
        "'c', 'article', ARRAY['number'], model => 'minilm'",
        "42804",
        "column \"number\" of table \"article\" is not text",
    ),
    ("'c', 'article', ARRAY['body', 'body'], model => 'minilm'", "22023", "content names column \"body\" twice"),
    ("'c', 'article', ARRAY[]::name[], model => 'minilm'", "22023", "content must name at least one column"),
    ("'c', 'article', NULL, model => 'minilm'", "22023", "content must name at least one column"),
    ("NULL, 'article', ARRAY['body'], model => 'minilm'", "22023", "name must not be null or empty"),
    ("'', 'article', ARRAY['body'], model => 'minilm'", "22023", "name must not be null or empty"),
    (
        "repeat('n', 44), 'article', ARRAY['body'], model => 'minilm'",
        "22023",
        "name of a corpus has 44 bytes, the limit is 43",
    ),
    (
        "'c', 'article', ARRAY['body'], title => 'nope', model => 'minilm'",
        "42703",
        "column \"nope\" of table \"article\" does not exist",
    ),
    (
        "'c', 'article', ARRAY['body'], template => '{nope} {content}', model => 'minilm'",
        "42703",
        "column \"nope\" of table \"article\" does not exist",
    ),
    (
        "'c', 'article', ARRAY['body'], template => '{content} x', model => 'minilm'",
        "22023",
        "template must end with {content}",
    ),
    ("'c', 'article', ARRAY['body'], model => 'nope'", "42704", "model \"nope\" does not exist"),
    (
        "'c', 'article', ARRAY['body'], model => 'reranker'",
        "42809",
        "model \"reranker\" is of kind reranker, not embedding",
    ),
    ("'c', 'article', ARRAY['body']", "22023", "no model is given"),
    (
        "'c', 'article', ARRAY['body'], model => 'minilm', language => 'klingon'",
        "22023",
        "language \"klingon\" is not known",
    ),
    (
        "'c', 'article', ARRAY['body'], model => 'minilm', language_column => 'number'",
        "42804",
        "column \"number\" of table \"article\" is not text",
    ),
    ("'c', 'article', ARRAY['body'], model => 'minilm', max_tokens => 0", "22023", "max_tokens must be at least 1"),
    (
        "'c', 'article', ARRAY['body'], model => 'minilm', max_tokens => 257",
        "22023",
        "max_tokens must not exceed 256, the window of model \"minilm\"",
    ),
    (
        "'c', 'article', ARRAY['body'], model => 'minilm', max_tokens => 50, overlap_tokens => 50",
        "22023",
        "overlap must be smaller than chunk size",
    ),
    (
        "'c', 'article', ARRAY['body'], model => 'minilm', overlap_tokens => -1",
        "22023",
        "overlap_tokens must be between 0 and 2147483647",
    ),
    ("'c', 'article', ARRAY['body'], model => 'minilm', format => 'pdf'", "22023", "format \"pdf\" does not exist"),
    (
        "'c', 'article', ARRAY['body'], model => 'minilm', chunk_schema => 'nope'",
        "3F000",
        "schema \"nope\" does not exist",
    ),
    (
        "'c', 'article', ARRAY['body'], model => 'minilm', max_attempts => 0",
        "22023",
        "max_attempts must be between 1 and 1000",
    ),
    (
        "'c', 'article', ARRAY['body'], model => 'minilm', hnsw_m => 50, hnsw_ef_construction => 60",
        "22023",
        "hnsw_ef_construction must be at least twice hnsw_m",
    ),
    ("'taken', 'article', ARRAY['body'], model => 'minilm'", "42710", "relation \"taken_chunk\" already exists"),
    ("'c', 'odd_key', ARRAY['body'], model => 'minilm'", "0A000", "primary key column \"id\" has type integer[]"),
    ("'c', 'forced', ARRAY['body'], model => 'minilm'", "55000", "row security is forced on table \"forced\""),
];

#[test]
fn what_cannot_be_a_corpus_is_refused() {
    let cluster = Cluster::with_models("");
    let mut client = cluster.connect();
    client
        .batch_execute(
            "CREATE TABLE article (id int PRIMARY KEY, title text, body text, number int);
             CREATE TABLE no_key (id int, body text); CREATE TABLE odd_key (id int[] PRIMARY KEY, body text);
             CREATE VIEW a_view AS SELECT * FROM article;
             CREATE MATERIALIZED VIEW a_matview AS SELECT * FROM article;
             CREATE TEMP TABLE a_temp (id int PRIMARY KEY, body text);
             CREATE TABLE taken_chunk (id int);
             CREATE ROLE somebody; GRANT CREATE, USAGE ON SCHEMA public TO somebody;
             CREATE TABLE forced (id int PRIMARY KEY, body text);
             ALTER TABLE forced OWNER TO somebody;
             ALTER TABLE forced ENABLE ROW LEVEL SECURITY; ALTER TABLE forced FORCE ROW LEVEL SECURITY",
        )
        .unwrap();
    for (arguments, code, message) in REFUSED.iter().copied() {
        let error = client.batch_execute(&format!("SELECT socle.create_corpus({arguments})")).expect_err(arguments);
        let (sqlstate, said, _, _) = error_of(&error);
        assert_eq!(sqlstate, code, "{arguments}: {said}");
        assert!(said.contains(message), "{arguments}: {said}");
    }
    client.batch_execute("SET ROLE somebody").unwrap();
    let error = client
        .batch_execute("SELECT socle.create_corpus('c', 'article', ARRAY['body'], model => 'minilm')")
        .unwrap_err();
    assert_eq!(error_of(&error).0, "42501");
    client.batch_execute("RESET ROLE").unwrap();
    let left: i64 = value(
        &mut client,
        "SELECT count(*) FROM pg_class WHERE relname ~ '_(chunk|change|document)$' AND relname <> 'taken_chunk'",
    );
    assert_eq!(left, 0, "nothing is left behind");
}

#[test]
fn an_existing_corpus_is_not_made_twice() {
    let (_cluster, mut client) = with_corpus(2);
    let again = "SELECT socle.create_corpus('handbook', 'article', ARRAY['body'], model => 'minilm'";
    assert_eq!(crate::sqlstate(client.batch_execute(&format!("{again})"))), "42710");
    let table: String = value(&mut client, &format!("{again}, if_not_exists => true)::text"));
    assert_eq!(table, "handbook_chunk");
    // Several corpora on one source, and all of them are kept true.
    client.batch_execute("SELECT socle.create_corpus('second', 'article', ARRAY['title', 'body'], model => 'bge', max_tokens => 100)").unwrap();
    client.batch_execute("INSERT INTO article VALUES (10, 'both', 'of them')").unwrap();
    settle(&mut client);
    let done: bool = value(&mut client, "SELECT socle.wait_for_corpus('second')");
    assert!(done);
    let content: String = value(&mut client, "SELECT content FROM second_chunk WHERE source_id = 10");
    assert_eq!(content, "both\n\nof them");
}

#[test]
fn dropping_leaves_the_source_and_the_chunks_if_wanted() {
    let (_cluster, mut client) = with_corpus(2);
    client
        .batch_execute(
            "SELECT socle.drop_corpus('handbook', keep_chunks => true); UPDATE article SET body = 'nobody looks'",
        )
        .unwrap();
    let kept: i64 = value(&mut client, "SELECT count(*) FROM handbook_chunk");
    assert_eq!(kept, 2);
    let left: i64 = value(
        &mut client,
        "SELECT (SELECT count(*) FROM pg_trigger WHERE tgname LIKE 'socle%') + (SELECT count(*) FROM pg_class WHERE relname IN ('handbook_change', 'handbook_document'))",
    );
    assert_eq!(left, 0);
    // The same corpus takes the kept chunks over, and embeds only what changed.
    client.batch_execute("UPDATE article SET body = 'body of article 1' WHERE id = 1; SELECT socle.create_corpus('handbook', 'article', ARRAY['body'], title => 'title', model => 'minilm')").unwrap();
    settle(&mut client);
    assert_eq!(super::counts(&mut client), (1, 1));
    client.batch_execute("SELECT socle.drop_corpus('handbook')").unwrap();
    let left: i64 = value(&mut client, "SELECT count(*) FROM pg_class WHERE relname LIKE 'handbook%'");
    assert_eq!(left, 0);
    assert_eq!(crate::sqlstate(client.batch_execute("SELECT socle.drop_corpus('handbook')")), "42704");
}

#[test]
fn a_long_document_is_handled_in_bounded_memory() {
    let (cluster, mut client) = with_corpus(1);
    client.batch_execute("CREATE TABLE big (id int PRIMARY KEY, body text); SELECT socle.create_corpus('big', 'big', ARRAY['body'], model => 'minilm')").unwrap();
    // 2 MB of the same few paragraphs: some embedding, much of everything else.
    client.batch_execute("INSERT INTO big SELECT 1, string_agg('Paragraph ' || i % 50 || ' says that a server is restored from its backup by a replica.', E'\n\n') FROM generate_series(1, 30000) i").unwrap();
    let done: bool = value(&mut client, "SELECT socle.wait_for_corpus('big', '25 s')");
    assert!(done);
    let pids: Vec<i32> =
        client.query("SELECT pid FROM socle.worker_status", &[]).unwrap().iter().map(|row| row.get(0)).collect();
    for pid in pids {
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        let peak = status
            .lines()
            .find_map(|line| line.strip_prefix("VmHWM:"))
            .map_or(0, |line| line.trim().trim_end_matches(" kB").parse::<u64>().unwrap());
        assert!(peak < 400_000, "{peak} kB");
    }
    drop(cluster);
}
