//! Text that changes without a trigger: followed, compared, or reported.

use super::{settle, status, value, wait, wait_for_state, with_corpus};
use crate::sqlstate;
use postgres::Client;
use socle_tests::Cluster;

fn version(client: &mut Client) -> i32 {
    value(client, "SELECT current_setting('server_version_num')::int / 10000")
}

#[test]
fn commands_that_change_text_or_names_unseen_are_followed() {
    let (_cluster, mut client) = with_corpus(5);
    client
        .batch_execute(
            "ALTER INDEX article RENAME TO page; UPDATE page SET body = 'renamed by ALTER INDEX' WHERE id = 1;
             ALTER INDEX page RENAME TO article",
        )
        .unwrap();
    settle(&mut client);
    // A schema that moves with an extension.
    client
        .batch_execute(
            "CREATE SCHEMA elsewhere; ALTER EXTENSION vector ADD TABLE article; ALTER EXTENSION vector SET SCHEMA elsewhere;
             ALTER EXTENSION vector DROP TABLE elsewhere.article; SET search_path = elsewhere, public;
             UPDATE article SET body = 'moved with an extension' WHERE id = 2",
        )
        .unwrap();
    settle(&mut client);
    client
        .batch_execute(
            "RESET search_path; ALTER TABLE elsewhere.article SET SCHEMA public; ALTER EXTENSION vector SET SCHEMA public",
        )
        .unwrap();
    settle(&mut client);
    client.batch_execute("ALTER TABLE article ALTER COLUMN body TYPE text USING upper(body)").unwrap();
    settle(&mut client);
    let content: String = value(&mut client, "SELECT content FROM handbook_chunk WHERE source_id = 3");
    assert_eq!(content, "BODY OF ARTICLE 3");
    triggers_that_are_switched(&mut client);
    tables_that_inherit(&mut client);
}

/// As `pg_restore --disable-triggers` does, and as fixtures are loaded.
fn triggers_that_are_switched(client: &mut Client) {
    client
        .batch_execute("ALTER TABLE article DISABLE TRIGGER ALL; UPDATE article SET body = 'unheard' WHERE id = 4")
        .unwrap();
    let reason: String = value(client, "SELECT state_reason FROM socle.corpus_status");
    assert!(reason.contains("disabled on public.article"), "{reason}");
    client.batch_execute("ALTER TABLE article ENABLE TRIGGER ALL").unwrap();
    settle(client);
    let content: String = value(client, "SELECT content FROM handbook_chunk WHERE source_id = 4");
    assert_eq!(content, "unheard");
    let always: bool = value(client, "SELECT bool_and(tgenabled = 'A') FROM pg_trigger WHERE tgname LIKE 'socle%'");
    assert!(always, "they fire for replicated changes again");
    client
        .batch_execute("SET session_replication_role = replica; UPDATE article SET body = 'applied' WHERE id = 4; RESET session_replication_role")
        .unwrap();
    settle(client);
    client.batch_execute("DROP TRIGGER socle_capture_handbook ON article").unwrap();
    let reason = wait_for_state(client, "broken");
    assert!(reason.contains("trigger"), "{reason}");
    client
        .batch_execute("UPDATE article SET body = 'without a trigger'; SELECT socle.resume_corpus('handbook')")
        .unwrap();
    settle(client);
    client.batch_execute("UPDATE article SET body = 'with a trigger' WHERE id = 5").unwrap();
    settle(client);
}

fn tables_that_inherit(client: &mut Client) {
    client
        .batch_execute("CREATE TABLE heir () INHERITS (article); INSERT INTO heir VALUES (100, '', 'unseen')")
        .unwrap();
    let reason = wait_for_state(client, "broken");
    assert!(reason.contains("heir"), "{reason}");
    assert_eq!(sqlstate(client.batch_execute("SELECT socle.resume_corpus('handbook')")), "55000");
    client.batch_execute("ALTER TABLE heir NO INHERIT article; SELECT socle.resume_corpus('handbook')").unwrap();
    settle(client);
}

#[test]
fn columns_that_are_computed_are_followed() {
    let cluster = Cluster::with_models("");
    let mut client = cluster.connect();
    let version = version(&mut client);
    let (expression, virtual_column) = (version >= 17, version >= 18);
    client
        .batch_execute(&format!(
            "CREATE TYPE mood AS ENUM ('sad', 'happy'); CREATE TYPE pair AS (x int, mood mood);
             CREATE TABLE article (id int PRIMARY KEY, a text, pair pair, mood mood, at timestamptz DEFAULT '2026-01-02 03:04+00', price float8 DEFAULT 0.1,
                                   kept text GENERATED ALWAYS AS ('old ' || a) STORED,
                                   body text GENERATED ALWAYS AS ('product ' || a) {});
             INSERT INTO article VALUES (1, 'alpha', '(1,sad)', 'sad'), (2, 'beta', '(2,happy)', 'happy');
             SELECT socle.create_corpus('handbook', 'article', ARRAY['body', 'kept'],
                                        template => '{{pair}} {{mood}} {{at}} {{price}} {{content}}', model => 'minilm')",
            if virtual_column { "VIRTUAL" } else { "STORED" }
        ))
        .unwrap();
    wait(&mut client);
    let mut steps = vec![
        ("UPDATE article SET a = 'gamma' WHERE id = 1", "product gamma\n\nold gamma"),
        ("ALTER TYPE mood RENAME VALUE 'sad' TO 'blue'", "product gamma\n\nold gamma"),
        ("ALTER TYPE pair ADD ATTRIBUTE z int", "product gamma\n\nold gamma"),
    ];
    if expression {
        steps.push((
            "ALTER TABLE article ALTER COLUMN kept SET EXPRESSION AS ('new ' || a)",
            "product gamma\n\nnew gamma",
        ));
        steps.push((
            "ALTER TABLE article ALTER COLUMN body SET EXPRESSION AS ('thing ' || a)",
            "thing gamma\n\nnew gamma",
        ));
    }
    for (sql, wanted) in steps {
        client.batch_execute(sql).unwrap();
        wait(&mut client);
        let content: String = value(&mut client, "SELECT content FROM handbook_chunk WHERE source_id = 1");
        assert_eq!(content, wanted, "{sql}");
        no_problem(&mut client, sql);
    }
    let embedded: bool = value(
        &mut client,
        "SELECT k.embedding <-> socle.embed(format('(1,blue,) blue 2026-01-02 03:04:00+00 0.1 %s', k.content), 'minilm') < 1e-5
         FROM handbook_chunk k WHERE source_id = 1",
    );
    assert!(embedded, "by the values as they are called now");
    the_answer_is_the_same_for_everybody(&mut client);
}

fn no_problem(client: &mut Client, sql: &str) {
    let problems: i64 = value(client, "SELECT count(*) FROM socle.verify_corpus('handbook')");
    assert_eq!(problems, 0, "{sql}: {}", status(client));
}

fn the_answer_is_the_same_for_everybody(client: &mut Client) {
    for setting in [
        "TimeZone = 'Asia/Tokyo'",
        "DateStyle = 'German'",
        "IntervalStyle = 'sql_standard'",
        "extra_float_digits = -15",
        "bytea_output = 'escape'",
        "lc_monetary = 'C'",
        "quote_all_identifiers = on",
    ] {
        client.batch_execute(&format!("SET {setting}")).unwrap();
        no_problem(client, setting);
        // A search compares documents with pending changes as well: all documents, because a resync is pending here.
        client.batch_execute("BEGIN; SAVEPOINT s; TRUNCATE article; ROLLBACK TO s").unwrap();
        client.batch_execute("COMMIT; RESET ALL").unwrap();
    }
    client.batch_execute("SELECT socle.pause_corpus('handbook'); UPDATE article SET id = id").unwrap();
    client
        .batch_execute("ALTER TABLE article DISABLE TRIGGER ALL; ALTER TABLE article ENABLE TRIGGER ALL; SET TimeZone = 'Asia/Tokyo'; SET extra_float_digits = -15")
        .unwrap();
    let found: i64 = value(client, "SELECT count(*) FROM socle.search('handbook', 'gamma', mode => 'keyword')");
    assert_eq!(found, 1, "a hit is not taken for changed because of who asks");
    client.batch_execute("RESET ALL; SELECT socle.resume_corpus('handbook')").unwrap();
    wait(client);
}

#[test]
fn partitions_that_come_with_a_schema_get_every_trigger() {
    let cluster = Cluster::with_models("");
    let mut client = cluster.connect();
    client
        .batch_execute(
            "CREATE TABLE article (id int PRIMARY KEY, title text, body text) PARTITION BY RANGE (id);
             CREATE TABLE article_1 PARTITION OF article FOR VALUES FROM (0) TO (10); INSERT INTO article VALUES (1, '', 'alpha');
             SELECT socle.create_corpus('handbook', 'article', ARRAY['body'], model => 'minilm');
             CREATE SCHEMA shelf CREATE TABLE article_2 PARTITION OF public.article FOR VALUES FROM (10) TO (20);
             INSERT INTO article VALUES (11, '', 'beta')",
        )
        .unwrap();
    settle(&mut client);
    client.batch_execute("TRUNCATE shelf.article_2").unwrap();
    settle(&mut client);
    client
        .batch_execute(
            "ALTER TABLE article ALTER COLUMN body TYPE varchar; ALTER TABLE shelf.article_2 DISABLE TRIGGER ALL;
             INSERT INTO article VALUES (12, '', 'unheard')",
        )
        .unwrap();
    let reason: String = value(&mut client, "SELECT state_reason FROM socle.corpus_status");
    assert!(reason.contains("shelf.article_2"), "{reason}");
    client.batch_execute("ALTER TABLE shelf.article_2 ENABLE TRIGGER ALL").unwrap();
    settle(&mut client);
    let always: bool =
        value(&mut client, "SELECT bool_and(tgenabled = 'A') FROM pg_trigger WHERE tgname LIKE 'socle%'");
    assert!(always);
}
