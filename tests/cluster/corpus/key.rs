//! Changes of the key of a source: followed where every value stays what it is, otherwise nothing is shown until the
//! owner acts. No writer fails, and nothing is embedded again.

use super::{counts, settle, status, value, wait_for_state, with_corpus};
use crate::sqlstate;
use postgres::Client;
use socle_tests::{Raise, error_of};
use std::sync::atomic::{AtomicBool, Ordering};

const STATE: &str =
    "SELECT state || ': ' || coalesce(state_reason, '') FROM socle.corpus_status WHERE name = 'handbook'";
const SEARCH: &str = "SELECT * FROM socle.search('handbook', 'article')";

fn broken(client: &mut Client, reason: &str) {
    let state: String = value(client, STATE);
    assert!(state.starts_with("broken: ") && state.contains(reason) && state.contains("resume_corpus"), "{state}");
    assert_eq!(sqlstate(client.batch_execute(SEARCH)), "55000");
}

fn resume(client: &mut Client) {
    client.batch_execute("SELECT socle.resume_corpus('handbook')").unwrap();
    settle(client);
    wait_for_state(client, "active");
    let closed: i64 = value(client, "SELECT count(*) FROM pg_policy WHERE pg_get_expr(polqual, polrelid) = 'false'");
    assert_eq!(closed, 0);
}

/// Chunks visible to a reader that may see one tenant only.
fn seen(client: &mut Client) -> Vec<String> {
    client.batch_execute("SET ROLE reader").unwrap();
    let seen = client.query("SELECT content FROM handbook_chunk ORDER BY content", &[]);
    let seen = seen.map(|rows| rows.iter().map(|row| row.get(0)).collect());
    client.batch_execute("RESET ROLE").unwrap();
    seen.unwrap()
}

#[test]
fn chunks_are_shown_to_nobody_as_soon_as_two_rows_may_have_their_key() {
    let (_cluster, mut client) = with_corpus(3);
    client
        .batch_execute(
            "ALTER TABLE article ADD COLUMN tenant text NOT NULL DEFAULT 'A';
             CREATE ROLE reader; GRANT SELECT ON article, handbook_chunk TO reader;
             ALTER TABLE article ENABLE ROW LEVEL SECURITY; CREATE POLICY own ON article TO reader USING (tenant = 'B')",
        )
        .unwrap();
    // In the transaction that alters the key, and before anything else in that transaction.
    client
        .batch_execute(
            "BEGIN; ALTER TABLE article DROP CONSTRAINT article_pkey, ADD PRIMARY KEY (tenant, id);
             INSERT INTO article VALUES (1, 'title', 'text of tenant B', 'B')",
        )
        .unwrap();
    assert_eq!(seen(&mut client), Vec::<String>::new());
    client.batch_execute("COMMIT").unwrap();
    assert_eq!(seen(&mut client), Vec::<String>::new());
    broken(&mut client, "(tenant, id)");
    let before = counts(&mut client).0;
    client.batch_execute("UPDATE article SET body = body || '!' WHERE id = 2").unwrap();
    resume(&mut client);
    assert_eq!(seen(&mut client), ["text of tenant B"]);
    assert_eq!(counts(&mut client).0, before + 2, "what was new, and nothing else");
    let key: String = value(&mut client, "SELECT source_key::text FROM socle.search('handbook', 'tenant B', 1)");
    assert_eq!(key, r#"{"id": 1, "tenant": "B"}"#);
    // Another change of the corpus makes the corpus follow the key as well.
    client.batch_execute("SELECT socle.alter_corpus('handbook', max_tokens => 50)").unwrap();
    socle_tests::eventually("the change is complete", || {
        (value::<i64>(&mut client, "SELECT count(*) FROM socle.corpus WHERE replaces IS NOT NULL") == 0).then_some(())
    });
    settle(&mut client);
    assert_eq!(seen(&mut client), ["text of tenant B"]);
    // No key at all, and rows that differ in the text only.
    client
        .batch_execute(
            "ALTER TABLE article DROP CONSTRAINT article_pkey; INSERT INTO article VALUES (1, '', 'whales', 'A')",
        )
        .unwrap();
    broken(&mut client, "add a primary key");
    let refused = client.batch_execute("SELECT socle.resume_corpus('handbook')").unwrap_err();
    assert_eq!(error_of(&refused).0, "42809");
    client
        .batch_execute(
            "DELETE FROM article WHERE body = 'body of article 1'; ALTER TABLE article ADD PRIMARY KEY (id, tenant)",
        )
        .unwrap();
    broken(&mut client, "");
    resume(&mut client);
    let content: String = value(&mut client, "SELECT content FROM socle.search('handbook', 'whales', 1)");
    assert_eq!(content, "whales");
    // A unique index serves as the constraint does, until the index is dropped.
    client
        .batch_execute(
            "CREATE UNIQUE INDEX another ON article (tenant, id); ALTER TABLE article DROP CONSTRAINT article_pkey",
        )
        .unwrap();
    settle(&mut client);
    client.batch_execute("DROP INDEX another").unwrap();
    broken(&mut client, "add a primary key");
}

#[test]
fn a_wider_key_is_followed_by_alter_table_alone() {
    let (cluster, mut client) = with_corpus(40);
    client.batch_execute("CREATE ROLE reader; GRANT SELECT ON article, handbook_chunk TO reader").unwrap();
    let before = counts(&mut client).0;
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let _end = Raise(&done);
        scope.spawn(|| {
            let mut writer = cluster.connect();
            for round in 0.. {
                if done.load(Ordering::Relaxed) {
                    break;
                }
                let sql = format!("UPDATE article SET title = 'round {round}' WHERE id = 1; INSERT INTO article VALUES (7000, '', 'short-lived'); DELETE FROM article WHERE id = 7000");
                writer.batch_execute(&sql).unwrap();
                std::thread::sleep(std::time::Duration::from_millis(5));
            }
        });
        for sql in [
            "BEGIN; ALTER TABLE article ALTER COLUMN id TYPE bigint; ROLLBACK",
            "ALTER TABLE article ALTER COLUMN id TYPE bigint",
            "ALTER TABLE article ALTER COLUMN body TYPE varchar(1000)",
            "ALTER TABLE article ALTER COLUMN id TYPE numeric, ALTER COLUMN body TYPE text",
        ] {
            client.batch_execute(sql).unwrap_or_else(|error| panic!("{sql}: {error:?}"));
        }
    });
    client.batch_execute("INSERT INTO article VALUES (30000000000, '', 'beyond all integers')").unwrap();
    settle(&mut client);
    wait_for_state(&mut client, "active");
    let types: String = value(
        &mut client,
        "SELECT string_agg(DISTINCT format_type(atttypid, atttypmod), ' ') FROM pg_attribute WHERE attname = 'source_id'",
    );
    assert_eq!(types, "numeric");
    assert!(counts(&mut client).0 <= before + 3, "{}", status(&mut client));
    client.batch_execute("SET ROLE reader").unwrap();
    let visible: i64 = value(&mut client, "SELECT count(*) FROM handbook_chunk");
    assert_eq!(visible, 41);
    client.batch_execute("RESET ROLE").unwrap();
    values_that_change_are_not_followed(&mut client);
    what_stands_in_the_way_is_said(&mut client);
    a_key_that_moves(&mut client);
    others_may_not(&mut client);
}

fn values_that_change_are_not_followed(client: &mut Client) {
    let before = counts(client).0;
    client.batch_execute("ALTER TABLE article ALTER COLUMN id TYPE bigint USING (id::bigint + 1)").unwrap();
    broken(client, "was rewritten");
    client.batch_execute("INSERT INTO article VALUES (-1, '', 'meanwhile')").unwrap();
    resume(client);
    client
        .batch_execute("ALTER TABLE article ALTER COLUMN id TYPE text; INSERT INTO article VALUES ('x', '', 'text')")
        .unwrap();
    broken(client, "another type");
    client.batch_execute("SELECT socle.resume_corpus('handbook')").unwrap();
    let done: bool = value(client, "SELECT socle.wait_for_corpus('handbook', '2 minutes')");
    assert!(done, "{}", status(client));
    client.batch_execute("DELETE FROM article WHERE id = 'x'; ALTER TABLE article ALTER COLUMN id TYPE int USING (length(id) * 0 + hashtext(id))").unwrap();
    resume(client);
    assert_eq!(counts(client).0, before + 2);
}

fn what_stands_in_the_way_is_said(client: &mut Client) {
    client
        .batch_execute(
            "CREATE VIEW keys AS SELECT source_id FROM handbook_chunk; ALTER TABLE article ALTER COLUMN id TYPE bigint",
        )
        .unwrap();
    broken(client, "could not be processed (0A000)");
    client.batch_execute("INSERT INTO article VALUES (5000000000, '', 'written all the same')").unwrap();
    let refused = client.batch_execute("SELECT socle.resume_corpus('handbook')").unwrap_err();
    assert_eq!(error_of(&refused).0, "2BP01");
    client.batch_execute("DROP VIEW keys").unwrap();
    resume(client);
}

#[test]
fn a_transaction_writes_before_and_after_its_key_gets_another_type() {
    let (_cluster, mut client) = with_corpus(3);
    client
        .batch_execute(
            "BEGIN; INSERT INTO article VALUES (10, '', 'an integer');
             ALTER TABLE article ALTER COLUMN id TYPE bigint;
             INSERT INTO article VALUES (30000000000, '', 'beyond all integers');
             ALTER TABLE article ALTER COLUMN id TYPE numeric;
             INSERT INTO article VALUES (30000000000.5, '', 'between two integers'); COMMIT",
        )
        .unwrap();
    settle(&mut client);
    wait_for_state(&mut client, "active");
    assert_eq!(value::<i64>(&mut client, "SELECT count(*) FROM handbook_chunk"), 6);
}

/// The usual migration without a long lock: a new column is filled, and takes the name of the old one.
fn a_key_that_moves(client: &mut Client) {
    let before = counts(client).0;
    client.batch_execute("ALTER TABLE article ADD COLUMN new_id bigint; UPDATE article SET new_id = id").unwrap();
    settle(client);
    client
        .batch_execute(
            "BEGIN; ALTER TABLE article DROP CONSTRAINT article_pkey; ALTER TABLE article RENAME COLUMN id TO old_id;
             ALTER TABLE article ALTER COLUMN old_id DROP NOT NULL; ALTER TABLE article RENAME COLUMN new_id TO id;
             ALTER TABLE article ADD PRIMARY KEY (id); COMMIT;
             INSERT INTO article (id, body) VALUES (6000000000, 'written after the migration')",
        )
        .unwrap();
    broken(client, "but (id)");
    resume(client);
    assert_eq!(counts(client).0, before + 1);
    client.batch_execute("ALTER TABLE article DROP COLUMN old_id").unwrap();
    settle(client);
}

/// A role that may not alter a table closes no policy.
fn others_may_not(client: &mut Client) {
    client.batch_execute("SET ROLE reader").unwrap();
    assert_eq!(sqlstate(client.batch_execute("ALTER TABLE article ALTER COLUMN id TYPE numeric")), "42501");
    let visible: i64 = value(client, "SELECT count(*) FROM handbook_chunk");
    assert!(visible > 40);
    client.batch_execute("RESET ROLE").unwrap();
}

#[test]
fn types_and_parents_change_the_key_of_their_tables_and_odd_keys_are_refused() {
    let cluster = socle_tests::Cluster::with_models("");
    let mut client = cluster.connect();
    client
        .batch_execute(
            "CREATE TYPE form AS (id smallint, body text); CREATE TABLE typed OF form (PRIMARY KEY (id));
             CREATE TABLE above (id smallint, body text); CREATE TABLE below (PRIMARY KEY (id)) INHERITS (above);
             CREATE DOMAIN code AS varchar(3) NOT NULL CHECK (VALUE <> ''); CREATE TABLE coded (id code PRIMARY KEY, body text);
             INSERT INTO typed VALUES (1, 'typed'); INSERT INTO below VALUES (1, 'below'); INSERT INTO coded VALUES ('a', 'coded')",
        )
        .unwrap();
    for source in ["typed", "below", "coded"] {
        client
            .batch_execute(&format!(
                "SELECT socle.create_corpus('{source}', '{source}', ARRAY['body'], model => 'minilm')"
            ))
            .unwrap();
    }
    let done = |client: &mut Client, source: &str| {
        let done: bool = value(client, &format!("SELECT socle.wait_for_corpus('{source}', '2 minutes')"));
        let problems: i64 = value(client, &format!("SELECT count(*) FROM socle.verify_corpus('{source}')"));
        let status: String =
            value(client, &format!("SELECT row_to_json(s)::text FROM socle.corpus_status s WHERE name = '{source}'"));
        assert!(done && problems == 0, "{source}: {problems} {status}");
    };
    client
        .batch_execute(
            "ALTER TYPE form ALTER ATTRIBUTE id TYPE bigint CASCADE; INSERT INTO typed VALUES (3000000000, 'later');
             ALTER TABLE above ALTER COLUMN id TYPE bigint; INSERT INTO below VALUES (3000000000, 'later');
             TRUNCATE coded; INSERT INTO coded VALUES ('b', 'later')",
        )
        .unwrap();
    for (source, count) in [("typed", 2), ("below", 2), ("coded", 1)] {
        done(&mut client, source);
        let chunks: i64 = value(&mut client, &format!("SELECT count(*) FROM {source}_chunk"));
        assert_eq!(chunks, count, "{source}");
    }
    client
        .batch_execute(
            "CREATE TYPE point_key AS (x int, y text); CREATE TABLE spot (id point_key PRIMARY KEY, body text);
             CREATE DOMAIN point_code AS point_key; CREATE TABLE place (id point_code PRIMARY KEY, body text);
             CREATE TABLE listed (id int[] PRIMARY KEY, body text);
             CREATE TABLE parent (id int PRIMARY KEY, body text); CREATE TABLE child () INHERITS (parent)",
        )
        .unwrap();
    for source in ["spot", "place", "listed", "parent"] {
        let sql = format!("SELECT socle.create_corpus('{source}', '{source}', ARRAY['body'], model => 'minilm')");
        assert_eq!(sqlstate(client.batch_execute(&sql)), "0A000", "{source}");
    }
}
