//! Bad input is an error that says what is wrong, or is searched for as plain words.

use super::{MODES, found, listening, value, with_papers};
use crate::sqlstate;
use postgres::Client;
use socle_tests::error_of;

/// Both functions refuse these arguments, with this state and these words.
fn refused(client: &mut Client, arguments: &str, (state, words): (&str, &str)) {
    for function in ["search", "explain_search"] {
        let error = client.query(&format!("SELECT * FROM socle.{function}({arguments})"), &[]).err();
        let (code, message, ..) = error_of(&error.unwrap_or_else(|| panic!("{function}({arguments}) succeeds")));
        assert!(code == state && message.contains(words), "{function}({arguments}): {code} {message}");
    }
}

#[test]
fn fields_that_cannot_be_searched_are_refused_by_name() {
    let (_cluster, mut client) = with_papers(5);
    for (arguments, state, words) in [
        ("'paper', 'fox', title_weight => -0.1", "22023", "title_weight must be between 0 and 100"),
        ("'paper', 'fox', title_weight => 101", "22023", "title_weight must be between 0 and 100"),
        ("'paper', 'fox', heading_weight => 'NaN'", "22023", "heading_weight must be between 0 and 100"),
        ("'paper', 'fox', fields => '{title,body}'", "22023", "field \"body\" does not exist"),
        ("'paper', 'fox', fields => '{}'", "22023", "fields must name a field"),
        ("'paper', 'fox', fields => '{NULL}'", "22023", "fields must name a field"),
        ("'paper', 'fox', fields => '{title}', title_weight => 0", "22023", "fields must name a field"),
        ("'paper', 'fox', fields => '{title}', mode => 'vector'", "22023", "fields has no meaning in mode"),
        ("'paper', 'fox', heading_weight => 'Infinity'", "22023", "heading_weight must be between 0 and 100"),
    ] {
        refused(&mut client, arguments, (state, words));
    }
}

#[test]
fn what_cannot_be_meant_is_refused_by_name() {
    let (_cluster, mut client) = with_papers(30);
    for (arguments, state, words) in [
        ("'nowhere', 'fox'", "42704", "corpus \"nowhere\" does not exist"),
        ("'paper', ''", "22023", "query must not be empty"),
        ("'paper', E' \\t\\n '", "22023", "query must not be empty"),
        ("'paper', 'fox', result_limit => -1", "22023", "result_limit must be between 0 and"),
        ("'paper', 'fox', result_limit => 2147483647", "22023", "result_limit must be between 0 and"),
        ("'paper', 'fox', candidate_count => 0", "22023", "candidate_count must be between 1 and"),
        (
            "'paper', 'fox', rerank_model => 'reranker', rerank_count => -5",
            "22023",
            "rerank_count must be between 1 and",
        ),
        ("'paper', 'fox', rerank_weight => 1.5", "22023", "rerank_weight must be between 0 and 1"),
        ("'paper', 'fox', rerank_weight => 'NaN'", "22023", "rerank_weight must be between 0 and 1"),
        ("'paper', 'fox', neighbours => -1", "22023", "neighbours must be between 0 and"),
        ("'paper', 'fox', diversity => 'NaN'", "22023", "diversity must be between 0 and 1"),
        ("'paper', 'fox', diversity => 1.5", "22023", "diversity must be between 0 and 1"),
        ("'paper', 'fox', min_score => 'NaN'", "22023", "a least score must be a number, not NaN"),
        ("'paper', 'fox', mode => 'telepathy'", "22023", "mode \"telepathy\" does not exist"),
        ("'paper', 'fox', fusion => 'cold'", "22023", "fusion \"cold\" does not exist"),
        ("'paper', 'fox', language => 'klingon'", "22023", "klingon"),
        ("'paper', 'fox', score_statistics => 'none'", "22023", "score_statistics \"none\" does not exist"),
        ("'paper', 'fox', stale => 'hide'", "22023", "stale \"hide\" does not exist"),
        ("'paper', 'fox', keyword_weight => -1", "22023", "keyword_weight must be"),
        ("'paper', 'fox', keyword_weight => 'Infinity'", "22023", "keyword_weight must be"),
        ("'paper', 'fox', keyword_weight => 2, fusion => 'minmax'", "22023", "must be between 0 and 1"),
        ("'paper', 'fox', keyword_weight => 2, mode => 'vector'", "22023", "keyword_weight has no meaning"),
        ("'paper', 'fox', keyword_weight => 2, mode => 'keyword'", "22023", "keyword_weight has no meaning"),
        ("'paper', 'fox', score_statistics => 'visible', mode => 'vector'", "22023", "score_statistics has no meaning"),
        ("'paper', 'fox', rerank_model => 'minilm'", "42809", "minilm"),
        ("'paper', 'fox', rerank_model => 'nothing'", "42704", "model \"nothing\" does not exist"),
        ("'paper', 'fox', filter => '{\"colour\": 1}'", "42703", "colour"),
        ("'paper', 'fox', filter => '{\"tenant\": true}'", "42804", "tenant"),
        ("'paper', 'fox', filter => '{\"tenant\": \"many\"}'", "22023", "tenant"),
        ("'paper', 'fox', filter => '{\"tenant\": 99999999999999}'", "22023", "tenant"),
        ("'paper', 'fox', filter => '{\"tenant\": {\"near\": 1}}'", "22023", "near"),
        ("'paper', 'fox', filter => '{\"tenant\": {\"contains\": 1}}'", "42804", "tenant"),
        ("'paper', 'fox', filter => '{\"title\": {\"like\": \"a\\\\\"}}'", "22023", "title"),
        (
            "'paper', 'fox', result_limit => 1001, rerank_model => 'reranker'",
            "22023",
            "result_limit must be at most 1000",
        ),
        ("'paper', 'fox', filter => '[]'", "22023", "filter must be an object"),
        ("'paper', 'fox', filter => 'null'", "22023", "filter must be an object"),
        ("ARRAY['paper', 'nowhere'], 'fox'", "42704", "corpus \"nowhere\" does not exist"),
        ("'{paper,nowhere}', 'fox'", "42704", "corpus \"nowhere\" does not exist"),
        ("'paper', 'fox', repeat('x', 20000)", "42883", "does not exist"),
        ("'paper', 'fox', mode => repeat('x', 20000)", "54000", "mode has 20000 bytes"),
    ] {
        refused(&mut client, arguments, (state, words));
    }
    let deep = format!("{}{{}}{}", "{\"not\": ".repeat(5_000), "}".repeat(5_000));
    let sql = "SELECT * FROM socle.search('paper', 'fox', filter => $1::text::jsonb)";
    assert_eq!(sqlstate(client.query(sql, &[&deep])), "22023");
}

#[test]
fn boosts_and_groups_that_cannot_be_meant_are_refused_by_name() {
    let (_cluster, mut client) = with_papers(30);
    client.batch_execute("ALTER TABLE paper ADD day date").unwrap();
    for (arguments, state, words) in [
        ("'paper', 'fox', boost => '7'", "22023", "boost must be an object or a list of objects"),
        ("'paper', 'fox', boost => 'null'", "22023", "boost must be an object or a list of objects"),
        ("'paper', 'fox', boost => '{\"column\": \"level\"}'", "22023", "needs either \"decay\" or \"function\""),
        ("'paper', 'fox', boost => '{\"column\": \"level\", \"colour\": 1}'", "22023", "boost is not valid"),
        (
            "'paper', 'fox', boost => '{\"column\": \"colour\", \"function\": \"logarithm\"}'",
            "42703",
            "boost column \"colour\" does not exist",
        ),
        (
            "'paper', 'fox', boost => '{\"column\": \"title\", \"function\": \"logarithm\"}'",
            "42804",
            "boost is not possible on column \"title\"",
        ),
        (
            "'paper', 'fox', boost => '{\"column\": \"level\", \"decay\": \"linear\", \"origin\": \"now\", \"scale\": 1}'",
            "42804",
            "\"origin\" of the boost on column \"level\" must be a number",
        ),
        (
            "'paper', 'fox', boost => '{\"column\": \"day\", \"decay\": \"linear\", \"scale\": \"soon\"}'",
            "22023",
            "boost on column \"day\": invalid input syntax for type interval",
        ),
        (
            "'paper', 'fox', boost => '{\"column\": \"day\", \"decay\": \"linear\", \"origin\": \"once\", \"scale\": \"1 day\"}'",
            "22023",
            "boost on column \"day\": invalid input syntax for type date",
        ),
        (
            "'paper', 'fox', boost => '{\"column\": \"day\", \"decay\": \"linear\", \"scale\": \"-1 day\"}'",
            "22023",
            "must have a finite \"scale\" greater than 0",
        ),
        (
            "'paper', 'fox', boost => '{\"column\": \"level\", \"function\": \"logarithm\"}', result_offset => 95",
            "22023",
            "result_offset and result_limit reach beyond candidate_count, 100",
        ),
        ("'paper', 'fox', group_by => 'colour'", "42703", "group_by column \"colour\" does not exist"),
        ("'paper', 'fox', group_by => ''", "42703", "group_by column \"\" does not exist"),
        ("'paper', 'fox', group_by => 'level', group_by_document => true", "22023", "exclude each other"),
        ("'paper', 'fox', group_size => 2", "22023", "group_size needs group_by or group_by_document"),
        ("'paper', 'fox', group_by => 'level', group_size => 0", "22023", "group_size must be between 1 and"),
        ("'paper', 'fox', group_by => repeat('x', 20000)", "54000", "group_by has 20000 bytes"),
    ] {
        refused(&mut client, arguments, (state, words));
    }
}

#[test]
fn what_is_null_or_nothing_finds_nothing_or_is_the_default() {
    let (_cluster, mut client) = with_papers(30);
    for arguments in ["NULL, 'fox'", "'paper', NULL", "'paper', 'fox', 0", "'{}'::text[], 'fox'", "ARRAY[NULL], 'fox'"]
    {
        let count: i64 = value(&mut client, &format!("SELECT count(*) FROM socle.search({arguments})"));
        assert_eq!(count, 0, "{arguments}");
    }
    let everything = ["NULL"; 26].join(", ");
    assert_eq!(found(&mut client, &format!("'fox', {everything}")), found(&mut client, "'fox'"));
    assert_eq!(found(&mut client, "'fox', filter => '{}'").len(), 10);
    assert_eq!(found(&mut client, "'fox', boost => '[]'"), found(&mut client, "'fox'"));
    let plan = "SELECT count(*) FROM socle.explain_search('paper', NULL)";
    assert_eq!(value::<i64>(&mut client, plan), 0);
}

#[test]
fn any_text_is_plain_words() {
    let (cluster, mut client) = with_papers(30);
    client.batch_execute("CALL socle.sync_corpus('paper')").unwrap();
    let (mut listener, told) = listening(&cluster);
    let queries = [
        "the of and".to_string(),
        "?!... --- ()".to_string(),
        "(".repeat(10_000),
        "NOT ".repeat(10_000),
        "-".repeat(10_000),
        "\"".repeat(9_999),
        "*".repeat(10_000),
        "-fox -wolf".to_string(),
        "\"never ends".to_string(),
        "fox:river^9 AND [a TO b] {x} \\ /regex/ ~2".to_string(),
        "'; DROP TABLE paper; --".to_string(),
        "fox\u{1}\u{200b}\u{feff}\u{301} 狐狸 ثعلب 🦊".to_string(),
        "fox river ".repeat(100_000),
        "x".repeat(1_000_000),
        (0..200_000).map(|number| format!("w{number} ")).collect(),
    ];
    for query in &queries {
        for mode in MODES {
            let sql = "SELECT chunk_id FROM socle.search('paper', $1, mode => $2, result_limit => 5)";
            let rows = listener.query(sql, &[query, &mode]);
            let rows = rows.unwrap_or_else(|error| panic!("{mode}, {}: {error:?}", &query[..query.len().min(40)]));
            // A search by vectors finds the nearest chunks whatever the query is.
            assert!(mode == "keyword" || rows.len() == 5, "{mode}, {}", query.chars().take(40).collect::<String>());
        }
    }
    // A notice names the words of the longest query that are not looked up, once for each mode with words.
    let said = super::drain(&told);
    let said: Vec<&str> = said.lines().collect();
    assert!(
        said.len() == 2
            && said
                .iter()
                .all(|line| line.contains("corpus \"paper\": left out are words after the first 4096 (195904)")),
        "{said:?}"
    );
    let sql = "SELECT * FROM socle.search('paper', repeat('x', 5000000))";
    assert_eq!(sqlstate(client.query(sql, &[])), "54000");
    assert_eq!(value::<i64>(&mut client, "SELECT count(*) FROM paper"), 30);
}

#[test]
fn every_word_of_a_long_query_counts_or_is_said_not_to() {
    let (cluster, mut client) = with_papers(30);
    client
        .batch_execute(
            "INSERT INTO paper VALUES (100, 'long', (SELECT string_agg('z' || i, ' ') FROM generate_series(1, 80) i), 1, 1),
                                      (101, 'beast', 'zebra', 1, 1)",
        )
        .unwrap();
    super::wait(&mut client);
    client.batch_execute("CALL socle.sync_corpus('paper')").unwrap();
    let (mut listener, told) = listening(&cluster);
    let words = |count: i32| (0..count).map(|number| format!("w{number} ")).collect::<String>() + "zebra";
    let ask = |listener: &mut postgres::Client, query: &str| -> Vec<i32> {
        let sql = "SELECT (source_key->>'id')::int FROM socle.search('paper', $1, mode => 'keyword')";
        listener.query(sql, &[&query]).unwrap().iter().map(|row| row.get(0)).collect()
    };
    for count in [511, 512, 4_095] {
        assert_eq!(ask(&mut listener, &words(count)), [101], "{count}");
    }
    assert_eq!(super::drain(&told), "");
    assert_eq!(ask(&mut listener, &words(4_096)), Vec::<i32>::new());
    let said = super::drain(&told);
    assert!(
        said.contains("only a part of the query was searched for")
            && said.contains("left out are words after the first 4096 (1)"),
        "{said}"
    );

    // The rarest words of the query are used, whatever their positions are.
    let known: String = (1..=80).map(|number| format!("z{number} ")).collect();
    assert_eq!(ask(&mut listener, &known), [100]);
    assert!(super::drain(&told).contains("more common words than the 64 rarest (16)"));
    let phrases: String = (0..=32).map(|number| format!("-forbidden{number}")).collect::<Vec<_>>().join(" ") + " zebra";
    let strict = "SELECT (source_key->>'id')::int FROM socle.search('paper', $1, mode => 'keyword', query_syntax => 'operators')";
    let strict: Vec<i32> = listener.query(strict, &[&phrases]).unwrap().iter().map(|row| row.get(0)).collect();
    assert_eq!(strict, [101]);
    assert!(super::drain(&told).contains("operators after the first 32 of a kind (1)"));
    assert_eq!(ask(&mut listener, "zeb*"), [101]);
    assert_eq!(super::drain(&told), "");
    let sql = "SELECT string_agg(detail, ' ') FROM socle.explain_search('paper', $1, mode => 'keyword') WHERE step = 'keyword'";
    let detail: String = listener.query_one(sql, &[&words(4_096)]).unwrap().get(0);
    assert!(detail.contains("not searched for: words after the first 4096 (1)"), "{detail}");
}

/// As clients send lists whose type they do not say: PostgreSQL takes them for texts.
#[test]
fn a_list_that_comes_as_a_text_is_the_list() {
    let (_cluster, mut client) = with_papers(30);
    let sql = "SELECT corpus_name FROM socle.search($1, 'fox', mode => 'vector', result_limit => 3)";
    for list in ["{paper}", "{paper,paper}", "{\"paper\", NULL}"] {
        let statement = client.prepare(sql).unwrap();
        assert_eq!(statement.params()[0].name(), "text");
        assert_eq!(client.query(&statement, &[&list]).unwrap().len(), 3, "{list}");
    }
    assert_eq!(client.query(sql, &[&"{}"]).unwrap().len(), 0);
    let refused = client.query("SELECT socle.create_corpus('{a,b}', 'paper', ARRAY['body'], model => 'minilm')", &[]);
    let (code, message, ..) = error_of(&refused.unwrap_err());
    assert!(code == "22023" && message.contains("must not be a list"), "{code} {message}");

    for list in ["{\"To restore a backup, stop the server.\",\"Cats sleep.\"}", "{a,b}", "{a}", "{}"] {
        let (code, _, _, hint) = error_of(&client.query("SELECT socle.embed($1, 'minilm')", &[&list]).unwrap_err());
        assert!(code == "22023" && hint.contains("::text[]"), "{list}: {code} {hint}");
        let sql = "SELECT cardinality(socle.embed($1::text::text[], 'minilm'))";
        let vectors: i32 = client.query_one(sql, &[&list]).unwrap().get(0);
        assert_eq!(
            usize::try_from(vectors).unwrap(),
            list.matches(',').count().min(1) + usize::from(list.len() > 2),
            "{list}"
        );
    }
    // Texts of a table, and texts that are no lists, are texts.
    let sql = "SELECT count(socle.embed(t.body, 'minilm')) FROM (VALUES ('{a,b}'), ('{}'), ('plain')) AS t (body)";
    assert_eq!(value::<i64>(&mut client, sql), 3);
    for text in ["{\"a\": 1}", "{a} and {b}", "[1, 2]"] {
        assert_eq!(client.query("SELECT socle.embed($1, 'minilm') IS NOT NULL", &[&text]).unwrap().len(), 1);
        assert_eq!(client.query("SELECT socle.embed_query($1, 'minilm') IS NOT NULL", &[&text]).unwrap().len(), 1);
    }
}
