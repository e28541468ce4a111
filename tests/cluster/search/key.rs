//! Keys and sources of every kind that a corpus may have.

use super::value;
use postgres::Client;
use socle_tests::Cluster;

fn search(client: &mut Client, more: &str) -> Vec<String> {
    let sql =
        format!("SELECT source_key::text FROM socle.search('thing', 'the fox', mode => 'vector'{more}) ORDER BY 1");
    client.query(&sql, &[]).unwrap().iter().map(|row| row.get(0)).collect()
}

fn with_source(client: &mut Client, table: &str, rows: &str) {
    client
        .batch_execute(&format!(
            "{table}; INSERT INTO thing {rows};
             SELECT socle.create_corpus('thing', 'thing', ARRAY['body'], model => 'minilm');
             GRANT SELECT ON thing, thing_chunk TO reader; ALTER TABLE thing ENABLE ROW LEVEL SECURITY"
        ))
        .unwrap();
    assert!(value::<bool>(client, "SELECT socle.wait_for_corpus('thing', '30 seconds')"));
}

/// Sources of two rows: the table, its rows, the condition of the second, and the key of the first.
const KINDS: [(&str, &str, &str, &str); 8] = [
    ("CREATE TABLE thing (\"the key\" text PRIMARY KEY, body text)", "VALUES ('é\"''', 'a fox'), ('b', 'a wolf')", "\"the key\" = 'b'", r#"{"the key": "é\"'"}"#),
    (
        "CREATE TABLE thing (id uuid PRIMARY KEY, body text)",
        "VALUES ('00000000-0000-0000-0000-000000000001', 'a fox'), ('00000000-0000-0000-0000-000000000002', 'a wolf')",
        "id = '00000000-0000-0000-0000-000000000002'",
        r#"{"id": "00000000-0000-0000-0000-000000000001"}"#,
    ),
    (
        "CREATE TABLE thing (id numeric PRIMARY KEY, body text)",
        "VALUES (12345678901234567890123.50, 'a fox'), (12345678901234567890124, 'a wolf')",
        "id = 12345678901234567890124",
        r#"{"id": 12345678901234567890123.50}"#,
    ),
    (
        "CREATE TABLE thing (a int, b date, body text, c text COLLATE \"C\", PRIMARY KEY (c, a, b))",
        "VALUES (1, '2024-02-29', 'a fox', 'x'), (1, '2024-03-01', 'a wolf', 'x')",
        "b = '2024-03-01'",
        r#"{"a": 1, "b": "2024-02-29", "c": "x"}"#,
    ),
    (
        "CREATE TABLE thing (id int, region text, body text, PRIMARY KEY (region, id)) PARTITION BY LIST (region);
         CREATE TABLE thing_north PARTITION OF thing FOR VALUES IN ('north'); CREATE TABLE thing_south PARTITION OF thing FOR VALUES IN ('south')",
        "VALUES (1, 'north', 'a fox'), (1, 'south', 'a wolf')",
        "region = 'south'",
        r#"{"id": 1, "region": "north"}"#,
    ),
    // Keys are read again with all of their digits, and the strings of jsonb as such.
    (
        "SET extra_float_digits = -15; CREATE TABLE thing (id float8 PRIMARY KEY, body text)",
        "VALUES (0.1::float8 + 0.2, 'a fox'), (0.3, 'a wolf')",
        "id = 0.3",
        r#"{"id": 0.30000000000000004}"#,
    ),
    (
        "CREATE TABLE thing (id jsonb PRIMARY KEY, body text)",
        r#"VALUES ('"1"', 'a fox'), ('1', 'a wolf')"#,
        "id = '1'",
        r#"{"id": "1"}"#,
    ),
    (
        "CREATE TABLE thing (id jsonb PRIMARY KEY, body text)",
        r#"VALUES ('null', 'a fox'), ('[null]', 'a wolf')"#,
        "id = '[null]'",
        r#"{"id": null}"#,
    ),
];

#[test]
fn keys_of_every_kind_are_searched_and_found_stale() {
    let cluster = Cluster::with_models("");
    let mut client = cluster.connect();
    client.batch_execute("CREATE ROLE reader").unwrap();
    for (table, rows, second, first_key) in KINDS {
        with_source(&mut client, table, rows);
        assert_eq!(search(&mut client, "").len(), 2, "{table}");
        let similar = "SELECT source_key::text FROM socle.similar('thing', $1::text::jsonb)";
        let found = client.query(similar, &[&first_key]).unwrap();
        assert!(found.len() == 1 && found[0].get::<_, &str>(0) != first_key, "{table}: {found:?}");
        client
            .batch_execute(&format!("CREATE POLICY p ON thing TO reader USING (NOT ({second})); SET ROLE reader"))
            .unwrap();
        assert_eq!(search(&mut client, ""), [first_key]);
        assert_eq!(client.query(similar, &[&first_key]).unwrap().len(), 0, "the other one is hidden");
        assert_eq!(search(&mut client, ", filter => '{\"body\": \"a wolf\"}'"), Vec::<String>::new());
        assert_eq!(search(&mut client, ", group_by_document => true, neighbours => 2, diversity => 0.2"), [first_key]);
        client
            .batch_execute(&format!(
                "RESET ROLE; SELECT socle.pause_corpus('thing'); UPDATE thing SET body = 'x' WHERE {second}"
            ))
            .unwrap();
        assert_eq!(search(&mut client, ""), [first_key], "{table}");
        client
            .batch_execute(&format!(
                "INSERT INTO thing SELECT * FROM thing WHERE false; DELETE FROM thing WHERE NOT ({second})"
            ))
            .unwrap();
        assert_eq!(search(&mut client, ""), Vec::<String>::new(), "{table}");
        client.batch_execute("SELECT socle.drop_corpus('thing'); DROP TABLE thing").unwrap();
    }
    assert_eq!(value::<i64>(&mut client, "SELECT count(*) FROM socle.corpus"), 0);
}

#[test]
fn nothing_is_read_by_the_names_of_others() {
    let cluster = Cluster::with_models("");
    let mut client = cluster.connect();
    client.batch_execute("CREATE ROLE reader").unwrap();
    with_source(
        &mut client,
        "CREATE TABLE thing (id int PRIMARY KEY, body text)",
        "VALUES (1, 'a fox'), (2, 'a wolf')",
    );
    // Operators, functions and tables of the same names, first in the search_path of the caller.
    client
        .batch_execute(
            "CREATE POLICY p ON thing TO reader USING (true); CREATE TABLE canary (who text); GRANT ALL ON canary TO PUBLIC;
             CREATE SCHEMA trap; GRANT USAGE ON SCHEMA trap TO PUBLIC;
             CREATE FUNCTION trap.spring(int, int) RETURNS boolean LANGUAGE sql AS $$ INSERT INTO public.canary VALUES (current_user) RETURNING true $$;
             CREATE OPERATOR trap.= (LEFTARG = int, RIGHTARG = int, FUNCTION = trap.spring);
             CREATE FUNCTION trap.jsonb_build_object(text, int) RETURNS jsonb LANGUAGE sql AS $$ INSERT INTO public.canary VALUES (current_user) RETURNING '{}'::jsonb $$;
             CREATE FUNCTION trap.row_security_active(oid) RETURNS boolean LANGUAGE sql AS $$ SELECT false $$;
             CREATE TABLE trap.thing (id int PRIMARY KEY, body text); CREATE TABLE trap.thing_chunk AS SELECT * FROM public.thing_chunk;
             GRANT SELECT ON ALL TABLES IN SCHEMA trap TO PUBLIC;
             SET search_path = trap, pg_catalog, public; SET ROLE reader",
        )
        .unwrap();
    assert_eq!(search(&mut client, ", filter => '{\"id\": [1, 2]}'").len(), 2);
    assert_eq!(search(&mut client, ", rerank_model => 'reranker', neighbours => 1").len(), 2);
    client.batch_execute("RESET ROLE; RESET search_path").unwrap();
    assert_eq!(value::<i64>(&mut client, "SELECT count(*) FROM canary"), 0);
}
