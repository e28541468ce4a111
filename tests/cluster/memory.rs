//! A session whose input needs more memory than there is gets an error. An allocation that failed without one would end
//! its process, and with it every session of the server. Some memory is left here: small allocations, such as those for
//! the error itself, are not checked first.

use crate::sqlstate;
use socle_tests::{Cluster, limit_memory};

#[test]
fn input_that_needs_more_memory_than_there_is_is_an_error() {
    let cluster = Cluster::with_models("");
    let mut witness = cluster.connect();
    witness
        .batch_execute(
            "CREATE TABLE article (id int PRIMARY KEY, body text);
             INSERT INTO article SELECT i, 'body of article ' || i FROM generate_series(1, 50) i;
             SELECT socle.create_corpus('handbook', 'article', '{body}', model => 'minilm')",
        )
        .unwrap();
    witness.batch_execute("SELECT socle.wait_for_corpus('handbook', '2 minutes')").unwrap();
    let calls = [
        "SELECT socle.embed(array_fill(repeat('x', 700000), ARRAY[10]), 'minilm')",
        "SELECT socle.embed(array_fill(repeat('x', 700000), ARRAY[100]), 'minilm')",
        "SELECT socle.embed(array_fill(repeat('x', 700000), ARRAY[300]), 'minilm')",
        "SELECT socle.embed(array_fill('word'::text, ARRAY[3000]), 'minilm')",
        "SELECT count(*) FROM socle.chunk(repeat('word ', 800000), 10)",
        "SELECT socle.count_tokens(repeat('word ', 800000), 'minilm')",
        "SELECT length(socle.extract_text(convert_to(repeat('a line of text' || chr(10), 250000), 'UTF8')))",
        "SELECT count(*) FROM socle.search('handbook', repeat('body ', 700000))",
        "SELECT count(*) FROM socle.search(array_fill('handbook'::text, ARRAY[1000000]), 'body')",
    ];
    for megabytes in [6, 12, 24, 32, 128] {
        for call in calls {
            let mut client = cluster.connect();
            client.batch_execute("SELECT socle.embed('warm', 'minilm')").unwrap();
            let pid: i32 = client.query_one("SELECT pg_backend_pid()", &[]).unwrap().get(0);
            limit_memory(pid.cast_unsigned(), megabytes << 20);
            if let Err(error) = client.simple_query(call) {
                let code = sqlstate(Err::<(), _>(error));
                assert!(["53200", "54000"].contains(&code.as_str()), "{megabytes} MB, {call}: {code}");
            }
            witness.batch_execute("SELECT 1").unwrap_or_else(|error| panic!("{megabytes} MB, {call}: {error}"));
        }
    }
    let mut client = cluster.connect();
    let beyond = "SELECT socle.embed(array_fill(repeat('x', 700000), ARRAY[400]), 'minilm')";
    assert_eq!(sqlstate(client.simple_query(beyond)), "54000", "more than the texts of one array may have");
}

#[test]
fn groups_and_facets_of_long_values_hold_one_at_a_time() {
    let cluster = Cluster::with_models("");
    let mut client = cluster.connect();
    client
        .batch_execute(
            "CREATE TABLE article (id int PRIMARY KEY, body text, long text);
             INSERT INTO article SELECT i, 'body of article', i % 200 || repeat('x', 1000000) FROM generate_series(1, 400) i;
             SELECT socle.create_corpus('handbook', 'article', '{body}', model => 'minilm')",
        )
        .unwrap();
    client.batch_execute("SELECT socle.wait_for_corpus('handbook', '2 minutes')").unwrap();
    client.batch_execute("SELECT count(*) FROM socle.search('handbook', 'body')").unwrap();
    let pid: i32 = client.query_one("SELECT pg_backend_pid()", &[]).unwrap().get(0);
    // The values have 200 MB.
    limit_memory(pid.cast_unsigned(), 64 << 20);
    let groups = "SELECT count(*) FROM socle.search('handbook', 'body', mode => 'keyword', result_limit => 400, group_by => 'long')";
    assert_eq!(client.query_one(groups, &[]).unwrap().get::<_, i64>(0), 200);
    let facets = "SELECT count(*), sum(document_count)::int8, max(length(value #>> '{}')), count(DISTINCT value)
                  FROM socle.facets('handbook', 'body', '{long}', 1000) WHERE column_name = 'long'";
    let row = client.query_one(facets, &[]).unwrap();
    assert_eq!((row.get(0), row.get(1), row.get(2), row.get(3)), (200_i64, 400_i64, 1_001, 200_i64));
    let value: String = client
        .query_one(
            "SELECT value #>> '{}' FROM socle.facets('handbook', NULL, '{long}', filter => '{\"id\": 7}') OFFSET 1",
            &[],
        )
        .unwrap()
        .get(0);
    assert_eq!(value, format!("7{}…", "x".repeat(999)));
}
