//! What is exported and imported again is the same, bit by bit, and nothing is embedded again.

use super::{Shelf, contents, export, settle, value};
use postgres::Client;
use socle_tests::error_of;

/// Tables with keys of every kind, and three rows of each.
const KINDS: [(&str, &str); 7] = [
    ("id bigint PRIMARY KEY, body text", "(-9223372036854775808, 'a fox'), (0, NULL), (9223372036854775807, 'a wolf')"),
    (
        "id uuid PRIMARY KEY, body text",
        "('00000000-0000-0000-0000-000000000001', 'a fox'), ('00000000-0000-0000-0000-000000000002', ''), ('a0000000-0000-0000-0000-000000000002', 'مرحبا بالعالم')",
    ),
    (
        "id timestamptz PRIMARY KEY, body text",
        "('infinity', 'a fox'), ('0044-03-15 12:00:00.123456+00 BC', 'שלום עולם'), ('2026-02-28 23:59:59.999999-11', 'a wolf')",
    ),
    (
        "id numeric(30,5) PRIMARY KEY, body text",
        "(12345678901234567890123.50001, 'a fox'), (-0.00001, 'x'), (1, 'a wolf')",
    ),
    (
        "\"the \"\"key\"\"\" text COLLATE \"C\", n smallint, d date, body text, PRIMARY KEY (d, \"the \"\"key\"\"\", n)",
        "('it''s \"é\"', 1, '2024-02-29', 'a fox'), ('{NULL,\\}', -1, '2024-02-29', 'two'), (E'tab\\t\\n', 0, 'infinity', 'a wolf')",
    ),
    (
        "id char(5), v varchar(10), b bytea, body text, PRIMARY KEY (id, v, b)",
        "('a', ' b ', '\\x00ff', 'a fox'), ('ab', '', '', 'x'), ('abcde', 'é', '\\x5c', 'y')",
    ),
    ("id float8 PRIMARY KEY, body text", "(0.1::float8 + 0.2, 'a fox'), ('NaN', 'b'), (-0.5, 'c')"),
];

#[test]
fn chunks_of_keys_of_every_kind_come_back_bit_by_bit() {
    let shelf = Shelf::new("kinds");
    let cluster = shelf.cluster();
    let (mut client, mut plain) = (cluster.connect(), cluster.connect());
    // What a session writes values like is its own affair.
    client.batch_execute("SET DateStyle = 'German'; SET TimeZone = 'Asia/Kolkata'; SET extra_float_digits = -10; SET bytea_output = 'escape'").unwrap();
    for (number, (columns, rows)) in KINDS.iter().enumerate() {
        client.batch_execute(&format!("CREATE TABLE thing ({columns}); INSERT INTO thing VALUES {rows}")).unwrap();
        with_filled_source(&mut client);
        let before = contents(&mut plain, "thing_chunk");
        assert!(before.lines().count() >= 4 && before.contains("Install"), "{before}");
        let path = shelf.path().join(format!("thing-{number}"));
        export(&mut client, "thing", &path, "").unwrap_or_else(|error| panic!("{columns}: {error:?}"));
        let copy = format!("SELECT socle.import_corpus('copy', '{}')", path.display());
        client.batch_execute(&copy).unwrap_or_else(|error| panic!("{columns}: {error:?}"));
        assert_eq!(contents(&mut plain, "copy_chunk"), before, "{columns}");

        client.batch_execute("SELECT socle.drop_corpus('thing')").unwrap();
        client.batch_execute(&format!("SELECT socle.import_corpus(NULL, '{}', 'thing')", path.display())).unwrap();
        settle(&mut client, "thing");
        assert_eq!(contents(&mut plain, "thing_chunk"), before, "{columns}");
        assert_eq!(value::<i64>(&mut client, "SELECT embedded_count FROM socle.corpus_status"), 0, "{columns}");
        client.batch_execute("SELECT socle.drop_corpus('thing'); DROP TABLE thing, copy_chunk").unwrap();
    }
}

/// A corpus over the table, one of whose documents has several chunks below headings.
fn with_filled_source(client: &mut Client) {
    client
        .batch_execute(
            "UPDATE thing SET body = E'# Guide\\n\\n## Install\\n\\n' || (SELECT string_agg('Do step ' || i || ' and wait. ', '' ORDER BY i) FROM generate_series(1, 60) i) || E'\\n\\n## Use\\n\\nAsk it.' WHERE body = 'a fox';
             SELECT socle.create_corpus('thing', 'thing', ARRAY['body'], model => 'minilm', max_tokens => 60, overlap_tokens => 10, format => 'markdown')",
        )
        .unwrap();
    settle(client, "thing");
}

#[test]
fn a_corpus_that_comes_back_is_defined_as_it_was_and_follows_its_source() {
    let shelf = Shelf::new("defined");
    let cluster = shelf.cluster();
    let mut client = cluster.connect();
    client
        .batch_execute(
            "CREATE TABLE thing (id int PRIMARY KEY, title text, lang text, body text);
             INSERT INTO thing VALUES (1, 'One', 'english', 'the fox runs'), (2, 'Deux', 'french', 'le renard court');
             SELECT socle.create_corpus('thing', 'thing', ARRAY['body'], title => 'title', language_column => 'lang',
                 model => 'minilm', max_tokens => 77, template => '{title}: {content}', hnsw_m => 8, hnsw_ef_construction => 40, max_attempts => 7,
                 token_model => 'colbert');
             SELECT socle.create_synonyms('thing', ARRAY['fox', 'vixen']);
             SELECT socle.create_stop_words('thing', ARRAY['run'], language => 'english');
             SELECT socle.create_protected_words('thing', ARRAY['Deux'])",
        )
        .unwrap();
    settle(&mut client, "thing");
    let definition = "SELECT (to_jsonb(c) - '{created_at,filled_at,state}'::text[])::text FROM socle.corpus c";
    let rules = "SELECT string_agg(w::text, ' ' ORDER BY w::text) FROM socle.word_rule w";
    let before = (
        value::<String>(&mut client, definition),
        value::<String>(&mut client, rules),
        contents(&mut client, "thing_chunk"),
    );
    assert!(before.2.contains("token_vectors\": \"\\\\x"), "{}", before.2);
    let path = shelf.path().join("thing");
    export(&mut client, "thing", &path, "").unwrap();
    client.batch_execute("SELECT socle.drop_corpus('thing')").unwrap();
    client.batch_execute("UPDATE thing SET body = 'the wolf sleeps' WHERE id = 1").unwrap();
    client.batch_execute(&format!("SELECT socle.import_corpus('thing', '{}', 'thing')", path.display())).unwrap();
    settle(&mut client, "thing");
    assert_eq!(value::<String>(&mut client, definition), before.0);
    assert_eq!(value::<String>(&mut client, rules), before.1);
    assert_eq!(value::<i64>(&mut client, "SELECT embedded_count FROM socle.corpus_status"), 1, "only what has changed");
    client.batch_execute("UPDATE thing SET body = 'the fox runs' WHERE id = 1").unwrap();
    settle(&mut client, "thing");
    assert_eq!(contents(&mut client, "thing_chunk"), before.2);
    let statement = shelf.manifest("thing")["create_corpus"].as_str().unwrap().to_string();
    client.batch_execute("SELECT socle.drop_corpus('thing', keep_chunks => true)").unwrap();
    client.batch_execute(&statement).unwrap();
    assert_eq!(value::<String>(&mut client, definition), before.0, "the statement of the manifest says the same");
}

#[test]
fn an_empty_corpus_and_rows_that_nobody_may_see_make_files_without_rows() {
    let shelf = Shelf::new("empty");
    let (cluster, mut client) = super::with_handbook(&shelf, 0);
    export(&mut client, "handbook", &shelf.path().join("empty"), "").unwrap();
    assert_eq!(shelf.manifest("empty")["chunk_count"], 0);
    client
        .batch_execute(&format!("SELECT socle.import_corpus('copy', '{}')", shelf.path().join("empty").display()))
        .unwrap();
    assert_eq!(value::<i64>(&mut client, "SELECT count(*) FROM copy_chunk"), 0);

    client
        .batch_execute(
            "INSERT INTO article SELECT i, 'title', 'body ' || i FROM generate_series(1, 4) i;
             CREATE ROLE reader LOGIN; GRANT pg_write_server_files TO reader;
             GRANT SELECT ON article, handbook_chunk TO reader;
             ALTER TABLE article ENABLE ROW LEVEL SECURITY",
        )
        .unwrap();
    settle(&mut client, "handbook");
    let mut reader = cluster.configuration().user("reader").connect(postgres::NoTls).unwrap();
    export(&mut reader, "handbook", &shelf.path().join("nothing"), "").unwrap();
    let manifest = shelf.manifest("nothing");
    assert_eq!((&manifest["chunk_count"], &manifest["row_security"]), (&0.into(), &true.into()));
    client.batch_execute("CREATE POLICY own ON article USING (id IN (2, 3))").unwrap();
    export(&mut reader, "handbook", &shelf.path().join("own"), "").unwrap();
    let manifest = shelf.manifest("own");
    assert_eq!((&manifest["chunk_count"], &manifest["document_count"]), (&2.into(), &2.into()));
    let rows =
        "SELECT string_agg(source_key->>'id', ' ' ORDER BY source_key) FROM socle.export_corpus_rows('handbook')";
    assert_eq!(value::<String>(&mut reader, rows), "2 3");
    export(&mut client, "handbook", &shelf.path().join("all"), "").unwrap();
    let manifest = shelf.manifest("all");
    assert_eq!((&manifest["chunk_count"], &manifest["row_security"]), (&4.into(), &false.into()));

    client.batch_execute("REVOKE SELECT ON article FROM reader; GRANT SELECT (id) ON article TO reader").unwrap();
    let (state, ..) = error_of(&export(&mut reader, "handbook", &shelf.path().join("denied"), "").unwrap_err());
    assert_eq!(state, "42501");
    assert_eq!(crate::sqlstate(reader.query(rows, &[])), "42501");
    assert_eq!(shelf.names(), ["all", "empty", "nothing", "own"]);
}
