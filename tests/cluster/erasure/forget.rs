//! What `socle.forget` deletes, refuses, and says in its receipt.

use super::{SECRET, files_with, forget, residues, wait_for, with_secret, with_secret_and};
use postgres::{Client, NoTls};
use socle_tests::{Cluster, error_of};

/// SQLSTATE and message of a call of `socle.forget` that is refused.
fn refused(client: &mut Client, arguments: &str) -> (String, String) {
    let error = client.query(&format!("SELECT socle.forget({arguments})"), &[]).unwrap_err();
    let (state, message, ..) = error_of(&error);
    (state, message)
}

fn count(client: &mut Client, sql: &str) -> i64 {
    client.query_one(sql, &[]).unwrap().get(0)
}

#[test]
fn what_would_come_back_or_cannot_be_meant_is_refused_by_name() {
    let (_cluster, mut client) = with_secret();
    let (state, message) = refused(&mut client, r#"'handbook', '{"id": 7}'"#);
    assert_eq!((state.as_str(), message.contains("still in the source")), ("55000", true), "{message}");
    for (arguments, state, words) in [
        ("'nowhere', '{\"id\": 7}'", "42704", "does not exist"),
        ("NULL, '{\"id\": 7}'", "22023", "corpus must not be null"),
        ("'handbook'", "22023", "one of source_key and filter"),
        ("'handbook', '{\"id\": 7}', '{\"id\": 7}'", "22023", "one of source_key and filter"),
        ("'handbook', '{\"number\": 7}'", "22023", "must be an object with the columns"),
        ("'handbook', '[]'", "22023", "an object or an array of objects"),
        ("'handbook', '7'", "22023", "must be an object with the columns"),
        ("'handbook', filter => '{}'", "22023", "filter must have a condition"),
        ("'handbook', filter => '{\"and\": [{}]}'", "22023", "filter must have a condition"),
        ("'handbook', filter => '{\"nothing\": 1}'", "42703", "nothing"),
    ] {
        let (found, message) = refused(
            &mut client,
            &format!("{arguments}, delete_source => true")
                .replace("'handbook', delete", "'handbook', NULL, NULL, delete"),
        );
        assert_eq!(found, state, "{arguments}: {message}");
        assert!(message.contains(words), "{arguments}: {message}");
    }
    let mut other =
        client.build_transaction().isolation_level(postgres::IsolationLevel::RepeatableRead).start().unwrap();
    let error = other.query(r#"SELECT socle.forget('handbook', '{"id": 7}', delete_source => true)"#, &[]).unwrap_err();
    assert_eq!(error_of(&error).0, "25001");
    drop(other);
    assert_eq!(count(&mut client, "SELECT count(*) FROM handbook_document"), 200, "a refusal changes nothing");
    assert_eq!(count(&mut client, "SELECT count(*) FROM socle.erasure"), 0);
}

#[test]
fn a_receipt_has_counts_and_hashes_and_neither_key_nor_text() {
    let (_cluster, mut client) = with_secret();
    client.batch_execute("DELETE FROM article WHERE id = 7").unwrap();
    let receipt = forget(&mut client, r#"'handbook', '[{"id": 7}, {"id": "7"}, {"id": 1998877665}]'"#);
    assert_eq!(receipt["keys"].as_array().unwrap().len(), 2, "one for each key: {receipt}");
    assert_eq!(receipt["rows_deleted"], 0);
    let text = receipt.to_string();
    assert!(!text.contains(SECRET) && !text.contains("1998877665") && !text.contains("\"id\""), "{text}");
    assert!(receipt["remains"].as_array().unwrap().len() > 5 && text.contains("pg_wal"), "{text}");
    wait_for(&mut client, &receipt);
    assert_eq!(residues(&mut client, &receipt, &[SECRET]), []);
    // The same again is no error: nothing is left to erase.
    let again = forget(&mut client, r#"'handbook', '{"id": 7}'"#);
    assert_eq!(again["corpora"][0]["chunks"], 0, "{again}");
    assert_ne!(again["keys"], receipt["keys"], "each receipt has a salt of its own");
}

#[test]
fn all_corpora_over_the_source_forget_it_and_those_of_others_are_named() {
    let (cluster, mut client) = with_secret();
    client
        .batch_execute(
            "SELECT socle.create_corpus('titles', 'article', ARRAY['title'], model => 'minilm');
             SELECT socle.create_corpus('theirs', 'article', ARRAY['body'], model => 'minilm');
             CREATE ROLE alice LOGIN; CREATE ROLE bob LOGIN; GRANT CREATE ON SCHEMA public TO alice, bob;
             ALTER TABLE article OWNER TO alice;
             ALTER TABLE handbook_chunk OWNER TO alice; ALTER TABLE handbook_change OWNER TO alice; ALTER TABLE handbook_document OWNER TO alice;
             ALTER TABLE titles_chunk OWNER TO alice; ALTER TABLE titles_change OWNER TO alice; ALTER TABLE titles_document OWNER TO alice;
             GRANT SELECT ON article TO bob;
             ALTER TABLE theirs_chunk OWNER TO bob; ALTER TABLE theirs_change OWNER TO bob; ALTER TABLE theirs_document OWNER TO bob",
        )
        .unwrap();
    for corpus in ["titles", "theirs"] {
        client.batch_execute(&format!("CALL socle.sync_corpus('{corpus}')")).unwrap();
    }
    let mut alice = cluster.configuration().user("alice").connect(NoTls).unwrap();
    let mut bob = cluster.configuration().user("bob").connect(NoTls).unwrap();
    let (state, _) = refused(&mut bob, r#"'handbook', '{"id": 7}', delete_source => true"#);
    assert_eq!(state, "42501");
    let receipt = forget(&mut alice, r#"'handbook', filter => '{"id": [7, 8]}', delete_source => true"#);
    assert_eq!(receipt["rows_deleted"], 2);
    let names: Vec<&str> =
        receipt["corpora"].as_array().unwrap().iter().map(|corpus| corpus["corpus"].as_str().unwrap()).collect();
    assert_eq!(names, ["handbook", "titles"]);
    assert_eq!(receipt["left"][0]["corpus"], "theirs");
    wait_for(&mut alice, &receipt);
    let found = residues(&mut alice, &receipt, &[]);
    assert_eq!(found, [("corpus theirs".to_string(), "was left: the caller does not own it".to_string())]);
    for table in ["handbook_chunk", "titles_chunk"] {
        assert_eq!(
            count(&mut client, &format!("SELECT count(*) FROM {table} WHERE source_id IN (7, 8)")),
            0,
            "{table}"
        );
    }
}

#[test]
fn what_is_rolled_back_is_not_forgotten_and_a_transaction_does_not_wait_for_itself() {
    let (_cluster, mut client) = with_secret();
    let mut transaction = client.transaction().unwrap();
    let sql = r#"SELECT socle.forget('handbook', '{"id": 7}', delete_source => true)::text"#;
    let receipt: String = transaction.query_one(sql, &[]).unwrap().get(0);
    let waited = format!("CALL socle.wait_for_erasure($${receipt}$$)");
    let error = transaction.batch_execute(&waited).unwrap_err();
    assert_eq!(error_of(&error).0, "25001");
    transaction.rollback().unwrap();
    assert_eq!(error_of(&client.batch_execute(&waited).unwrap_err()).0, "55000", "a receipt of what never happened");
    assert_eq!(count(&mut client, "SELECT count(*) FROM article WHERE id = 7"), 1);
    assert!(count(&mut client, "SELECT count(*) FROM handbook_chunk WHERE source_id = 7") > 0);
    assert_eq!(count(&mut client, "SELECT count(*) FROM socle.erasure"), 0);
}

#[test]
fn changes_that_wait_and_those_that_failed_are_forgotten_too() {
    let cluster = Cluster::with_models("socle.sync_workers = 0");
    let mut client = cluster.connect();
    client
        .batch_execute(&format!(
            "CREATE TABLE article (id text, part int, body text, PRIMARY KEY (id, part));
             INSERT INTO article SELECT 'document ' || i, 1, 'body ' || i FROM generate_series(1, 50) i;
             SELECT socle.create_corpus('handbook', 'article', ARRAY['body'], model => 'minilm');
             INSERT INTO article SELECT '{SECRET}', i, 'body' FROM generate_series(1, 50) i;
             INSERT INTO article VALUES ('alone', 1, 'body');
             UPDATE handbook_change SET failed_at = now(), error_message = 'failed', next_attempt_at = 'infinity' WHERE source_id = 'alone'"
        ))
        .unwrap();
    assert!(
        count(&mut client, "SELECT count(*) FROM handbook_change WHERE batch_1 IS NOT NULL") > 0,
        "no row with many keys"
    );
    let keys = format!(r#"[{{"id": "{SECRET}", "part": 3}}, {{"id": "alone", "part": 1}}]"#);
    let receipt = forget(&mut client, &format!("'handbook', '{keys}', delete_source => true"));
    assert_eq!(receipt["corpora"][0]["changes"], 1, "{receipt}");
    let logged = |client: &mut Client, key: &str, part: i32| {
        let sql = "SELECT count(*) FROM handbook_change c LEFT JOIN LATERAL unnest(c.batch_1, c.batch_2) AS k (id, part) ON true
                   WHERE (coalesce(c.source_id, k.id), coalesce(c.source_part, k.part)) = ($1, $2) AND c.xid <> (SELECT e.xid FROM socle.erasure e)";
        client.query_one(sql, &[&key, &part]).unwrap().get::<_, i64>(0)
    };
    assert_eq!((logged(&mut client, SECRET, 3), logged(&mut client, "alone", 1)), (0, 0));
    assert_eq!(logged(&mut client, SECRET, 4), 1, "its neighbours in the same row still wait");
}

#[test]
fn texts_that_the_ledger_keeps_go_with_the_documents_that_they_cite() {
    let (cluster, mut client) = with_secret_and("socle.ledger_text = on");
    let asked = |client: &mut Client, question: &str| {
        let sql = "SELECT answer FROM socle.answer('handbook', $1, min_relevance => -100, max_sentences => 1)";
        client.query_one(sql, &[&question]).unwrap().get::<_, Option<String>>(0).unwrap_or_default()
    };
    assert!(asked(&mut client, &format!("What is known of the patient {SECRET}?")).contains(SECRET));
    assert!(asked(&mut client, "What is article number 8 about?").contains("gardens"));
    let texts =
        |words: &[&str]| files_with(&cluster, words).into_iter().filter(|file| file.contains("ledger_text")).count();
    assert_eq!((texts(&[SECRET]), texts(&["gardens"])), (1, 1), "{:?}", files_with(&cluster, &[SECRET]));
    let receipt = forget(&mut client, r#"'handbook', '{"id": 7}', delete_source => true"#);
    assert_eq!(receipt["ledger_texts"], 1, "{receipt}");
    assert_eq!((texts(&[SECRET]), texts(&["gardens"])), (0, 1));
    wait_for(&mut client, &receipt);
    assert_eq!(residues(&mut client, &receipt, &[SECRET]), []);
    // The ledger still holds, and has the erasure.
    let state: bool = client
        .query_one("SELECT bool_and(cardinality(coalesce(problems, '{}')) = 0) FROM socle.verify_ledger()", &[])
        .unwrap()
        .get(0);
    assert!(state);
    let entry = "SELECT entry -> 'data' ->> 'erasure' FROM socle.ledger WHERE kind = 'erase'";
    assert_eq!(client.query_one(entry, &[]).unwrap().get::<_, String>(0), receipt["erasure"].as_str().unwrap());
}

#[test]
fn a_key_is_the_same_however_it_is_written() {
    let (_cluster, mut client) = with_secret_and("socle.ledger_text = on");
    client
        .batch_execute(
            "CREATE TABLE event (at timestamptz, number numeric, body text, PRIMARY KEY (at, number));
             INSERT INTO event VALUES ('2026-03-01 08:00+00', 2.50, 'The quorblatt broke down in the cellar.');
             SELECT socle.create_corpus('events', 'event', ARRAY['body'], model => 'minilm')",
        )
        .unwrap();
    client.batch_execute("CALL socle.sync_corpus('events')").unwrap();
    let ask = "SELECT answer FROM socle.answer('events', 'Where did the quorblatt break down?', min_relevance => -100)";
    assert!(client.query_one(ask, &[]).unwrap().get::<_, String>(0).contains("cellar"));
    client.batch_execute("SET timezone = 'Asia/Tokyo'").unwrap();
    let key = r#"'events', '{"at": "2026-03-01 17:00+09", "number": 2.5}', delete_source => true"#;
    let receipt = forget(&mut client, key);
    assert_eq!(receipt["ledger_texts"], 1, "{receipt}");
    client.batch_execute("INSERT INTO event VALUES ('2026-03-01 03:00-05', 2.500, 'It is back.')").unwrap();
    client.batch_execute("SET timezone = 'UTC'").unwrap();
    let again = "SELECT count(*) FROM socle.verify_erasure($1::text::jsonb) WHERE finding = 'the source has rows of erased documents again'";
    let found: i64 = client.query_one(again, &[&receipt.to_string()]).unwrap().get(0);
    assert_eq!(found, 1);
}
