//! Every way to change a source is noticed, and nothing that was rolled back is.

use super::{check, settle, value, wait, with_corpus};
use crate::sqlstate;
use postgres::Client;
use socle_tests::eventually;

/// Changes that are in the log.
fn logged(client: &mut Client) -> i64 {
    value(client, "SELECT coalesce(sum(coalesce(cardinality(batch_1), 1)), 0)::bigint FROM handbook_change")
}

fn logged_keys(client: &mut Client) -> Vec<i32> {
    client
        .query("SELECT source_id FROM handbook_change ORDER BY 1", &[])
        .unwrap()
        .iter()
        .map(|row| row.get(0))
        .collect()
}

#[test]
fn every_kind_of_write_is_reflected() {
    let (_cluster, mut client) = with_corpus(20);
    for sql in [
        "INSERT INTO article VALUES (100, 't', 'a new body')",
        "INSERT INTO article VALUES (101, NULL, NULL), (102, '', ''), (103, 'x', '   ')",
        "UPDATE article SET body = 'another body' WHERE id = 1",
        "UPDATE article SET id = 200 WHERE id = 2",
        "UPDATE article SET id = id + 1000, body = body || '!' WHERE id < 6",
        "DELETE FROM article WHERE id = 7",
        "INSERT INTO article VALUES (8, 't', 'upsert') ON CONFLICT (id) DO UPDATE SET body = excluded.body",
        "MERGE INTO article a USING (VALUES (9, 'merged'), (300, 'merged too')) AS v (id, body) ON a.id = v.id
             WHEN MATCHED THEN UPDATE SET body = v.body WHEN NOT MATCHED THEN INSERT VALUES (v.id, 'm', v.body)",
        "WITH gone AS (DELETE FROM article WHERE id = 10 RETURNING *) INSERT INTO article SELECT 400, title, body FROM gone",
        "TRUNCATE article",
        "INSERT INTO article SELECT i, 'title', 'after truncate ' || i FROM generate_series(1, 30) i",
        "BEGIN; TRUNCATE article; INSERT INTO article VALUES (1, 't', 'truncated and filled'); COMMIT",
    ] {
        client.batch_execute(sql).unwrap();
        settle(&mut client);
    }
    let mut copy = client.copy_in("COPY article FROM STDIN").unwrap();
    let lines: String = (1000..4500).map(|id| format!("{id}\ttitle\tcopied {id}\n")).collect();
    std::io::Write::write_all(&mut copy, lines.as_bytes()).unwrap();
    copy.finish().unwrap();
    settle(&mut client);
}

#[test]
fn what_is_rolled_back_leaves_nothing() {
    let (_cluster, mut client) = with_corpus(5);
    client.batch_execute("SELECT socle.pause_corpus('handbook')").unwrap();
    client.batch_execute("BEGIN; UPDATE article SET body = 'x' WHERE id = 1; ROLLBACK").unwrap();
    assert_eq!(logged(&mut client), 0);
    client
        .batch_execute(
            "BEGIN;
             UPDATE article SET body = 'kept' WHERE id = 1;
             SAVEPOINT a;
             UPDATE article SET body = 'lost' WHERE id = 2;
             SAVEPOINT b;
             UPDATE article SET body = 'lost with its parent' WHERE id = 3;
             RELEASE b;
             ROLLBACK TO a;
             SAVEPOINT c;
             UPDATE article SET body = 'kept too' WHERE id = 4;
             RELEASE c;
             COMMIT",
        )
        .unwrap();
    let keys = logged_keys(&mut client);
    assert_eq!(keys, [1, 4]);
    // A thousand keys in a savepoint are appended to the log, and are rolled back with the savepoint all the same.
    client
        .batch_execute(
            "BEGIN; SAVEPOINT a; INSERT INTO article SELECT i, 't', 'x' FROM generate_series(1000, 5000) i; ROLLBACK TO a; COMMIT;
             DO $$ BEGIN
                 INSERT INTO article VALUES (9000, 't', 'in a block');
                 BEGIN INSERT INTO article VALUES (9001, 't', 'x'), (9001, 't', 'y'); EXCEPTION WHEN unique_violation THEN NULL; END;
             END $$",
        )
        .unwrap();
    let keys = logged_keys(&mut client);
    assert_eq!(keys, [1, 4, 9000]);
    client.batch_execute("SELECT socle.resume_corpus('handbook')").unwrap();
    settle(&mut client);
}

#[test]
fn an_update_of_other_columns_or_to_the_same_text_is_not_work() {
    let (_cluster, mut client) = with_corpus(5);
    client.batch_execute("ALTER TABLE article ADD COLUMN viewed int; SELECT socle.pause_corpus('handbook')").unwrap();
    let before = logged(&mut client);
    client.batch_execute("UPDATE article SET viewed = 1; UPDATE article SET body = body").unwrap();
    assert_eq!(logged(&mut client), before);
    // Text in TOAST is compared by its pointer.
    client.batch_execute("UPDATE article SET body = (SELECT string_agg(md5(i::text), ' ') FROM generate_series(1, 1000) i) WHERE id = 1").unwrap();
    assert_eq!(logged(&mut client), before + 1);
    client.batch_execute("UPDATE article SET viewed = 2 WHERE id = 1").unwrap();
    assert_eq!(logged(&mut client), before + 1);
}

#[test]
fn isolation_levels_and_prepared_transactions_lose_nothing() {
    let cluster = socle_tests::Cluster::with_models("max_prepared_transactions = 5");
    let mut client = cluster.connect();
    client.batch_execute("CREATE TABLE article (id int PRIMARY KEY, title text, body text)").unwrap();
    // A transaction whose snapshot is older than the corpus.
    let mut early = cluster.connect();
    early.batch_execute("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM pg_class").unwrap();
    client
        .batch_execute("SELECT socle.create_corpus('handbook', 'article', ARRAY['body'], model => 'minilm')")
        .unwrap();
    settle(&mut client);
    early.batch_execute("INSERT INTO article VALUES (1, 't', 'from an older snapshot'); COMMIT").unwrap();
    settle(&mut client);
    for level in ["REPEATABLE READ", "SERIALIZABLE"] {
        let sql = format!(
            "BEGIN ISOLATION LEVEL {level}; INSERT INTO article SELECT max(id) + 1, 't', '{level}' FROM article; COMMIT"
        );
        client.batch_execute(&sql).unwrap();
        settle(&mut client);
    }
    client.batch_execute("BEGIN; INSERT INTO article VALUES (50, 't', 'prepared'); PREPARE TRANSACTION 'p'").unwrap();
    check(&mut client);
    client.batch_execute("COMMIT PREPARED 'p'").unwrap();
    // That change wakes no worker; the next poll finds the change.
    settle(&mut client);
    client.batch_execute("BEGIN; INSERT INTO article VALUES (51, 't', 'given up'); PREPARE TRANSACTION 'q'").unwrap();
    client.batch_execute("ROLLBACK PREPARED 'q'").unwrap();
    settle(&mut client);
}

#[test]
fn writers_never_meet_the_pipeline() {
    let (cluster, mut client) = with_corpus(50);
    // REPEATABLE READ writers would fail if they updated a row that a worker has touched.
    std::thread::scope(|scope| {
        for writer in 0..3 {
            let cluster = &cluster;
            scope.spawn(move || {
                let mut client = cluster.connect();
                for round in 0..60 {
                    let id = writer * 15 + round % 15 + 1;
                    let sql = format!(
                        "BEGIN ISOLATION LEVEL REPEATABLE READ; UPDATE article SET body = 'writer {writer} round {round}' WHERE id = {id}; COMMIT"
                    );
                    client.batch_execute(&sql).unwrap();
                }
            });
        }
    });
    settle(&mut client);
}

#[test]
fn a_reader_waits_for_what_it_has_written_and_for_nothing_else() {
    let (cluster, mut client) = with_corpus(5);
    client.batch_execute("UPDATE article SET body = 'seen at once' WHERE id = 1").unwrap();
    wait(&mut client);
    let content: String = value(&mut client, "SELECT content FROM handbook_chunk WHERE source_id = 1");
    assert_eq!(content, "seen at once");
    let call = "SELECT socle.wait_for_corpus('handbook')";
    client.batch_execute("BEGIN ISOLATION LEVEL REPEATABLE READ").unwrap();
    assert_eq!(sqlstate(client.batch_execute(call)), "25001");
    client.batch_execute("ROLLBACK; BEGIN; UPDATE article SET body = 'own' WHERE id = 1").unwrap();
    assert_eq!(sqlstate(client.batch_execute(call)), "25001");
    client
        .batch_execute("ROLLBACK; BEGIN; SAVEPOINT s; UPDATE article SET body = 'own' WHERE id = 1; RELEASE s")
        .unwrap();
    assert_eq!(sqlstate(client.batch_execute(call)), "25001");
    client.batch_execute("ROLLBACK").unwrap();
    // Changes that are not committed yet are not waited for.
    let mut writer = cluster.connect();
    writer.batch_execute("BEGIN; UPDATE article SET body = 'later' WHERE id = 2").unwrap();
    wait(&mut client);
    writer.batch_execute("COMMIT").unwrap();
    client
        .batch_execute("SELECT socle.pause_corpus('handbook'); UPDATE article SET body = 'paused' WHERE id = 3")
        .unwrap();
    let done: bool = value(&mut client, "SELECT socle.wait_for_corpus('handbook', '100 milliseconds')");
    assert!(!done);
    client.batch_execute("SELECT socle.resume_corpus('handbook')").unwrap();
    settle(&mut client);
    assert_eq!(sqlstate(client.batch_execute("SELECT socle.wait_for_corpus('handbook', '-1 s')")), "22023");
    assert_eq!(sqlstate(client.batch_execute("SELECT socle.wait_for_corpus('nope')")), "42704");
}

#[test]
fn replicated_changes_are_noticed() {
    let (_cluster, mut client) = with_corpus(3);
    client.batch_execute("SET session_replication_role = replica; UPDATE article SET body = 'applied' WHERE id = 1; RESET session_replication_role").unwrap();
    settle(&mut client);
}

#[test]
fn partitions_are_part_of_their_table() {
    let cluster = socle_tests::Cluster::with_models("");
    let mut client = cluster.connect();
    client
        .batch_execute(
            "CREATE TABLE article (id int PRIMARY KEY, title text, body text) PARTITION BY RANGE (id);
             CREATE TABLE article_1 PARTITION OF article FOR VALUES FROM (0) TO (100);
             CREATE TABLE article_2 (body text, extra int, id int NOT NULL, title text);
             ALTER TABLE article_2 DROP COLUMN extra;
             ALTER TABLE article ATTACH PARTITION article_2 FOR VALUES FROM (100) TO (200);
             INSERT INTO article SELECT i, 't', 'body ' || i FROM generate_series(1, 150) i;
             SELECT socle.create_corpus('handbook', 'article', ARRAY['body'], model => 'minilm')",
        )
        .unwrap();
    settle(&mut client);
    for sql in [
        "UPDATE article_2 SET body = 'on the leaf' WHERE id = 120",
        "UPDATE article SET id = 160 WHERE id = 1",
        "INSERT INTO article_1 VALUES (99999 % 100, 't', 'on the leaf') ON CONFLICT DO NOTHING",
        "TRUNCATE article_2",
        "CREATE TABLE article_3 PARTITION OF article FOR VALUES FROM (200) TO (300); INSERT INTO article VALUES (250, 't', 'new partition')",
        "TRUNCATE article_3",
        "CREATE TABLE article_4 (id int NOT NULL, title text, body text); INSERT INTO article_4 VALUES (350, 't', 'attached');
         ALTER TABLE article ATTACH PARTITION article_4 FOR VALUES FROM (300) TO (400)",
        "UPDATE article_4 SET body = 'attached and changed'",
        "ALTER TABLE article DETACH PARTITION article_4",
        "UPDATE article_4 SET body = 'nobody cares'",
        "DROP TABLE article_1",
    ] {
        client.batch_execute(sql).unwrap_or_else(|error| panic!("{sql}: {error:?}"));
        settle(&mut client);
    }
    let always: bool = value(
        &mut client,
        "SELECT bool_and(tgenabled = 'A') FROM pg_trigger WHERE tgname LIKE 'socle%' AND tgrelid::regclass::text LIKE 'article%' AND tgrelid <> 'article_4'::regclass",
    );
    assert!(always, "every trigger fires for replicated changes too");
}

#[test]
fn composite_and_unusual_keys_work() {
    let cluster = socle_tests::Cluster::with_models("");
    let mut client = cluster.connect();
    client
        .batch_execute(
            r#"CREATE TYPE mood AS ENUM ('sad', 'happy');
               CREATE DOMAIN code AS varchar(20) CHECK (VALUE <> '');
               CREATE TABLE "Odd ""Table" ("The Key" code, mood mood, "at" timestamptz, "chunk_id" uuid, "Select" text,
                                          PRIMARY KEY ("at", "The Key", mood, "chunk_id"));
               INSERT INTO "Odd ""Table" VALUES ('a''b', 'sad', '2026-01-01 10:00:00.123456+02', gen_random_uuid(), 'one'),
                                                ('a''b', 'happy', '2026-01-01 10:00:00.123456+02', gen_random_uuid(), 'two');
               SELECT socle.create_corpus('Corpus "with" odd name', '"Odd ""Table"', ARRAY['Select'], model => 'minilm');"#,
        )
        .unwrap();
    let mut settled = |sql: &str, wanted: &[&str]| {
        client.batch_execute(sql).unwrap();
        let name = r#"Corpus "with" odd name"#;
        let done: bool = client.query_one("SELECT socle.wait_for_corpus($1)", &[&name]).unwrap().get(0);
        assert!(done);
        assert_eq!(client.query("SELECT * FROM socle.verify_corpus($1)", &[&name]).unwrap().len(), 0);
        let contents = eventually("the chunks are there", || {
            client
                .query_one(r#"SELECT array_agg(content ORDER BY content) FROM "Corpus ""with"" odd name_chunk""#, &[])
                .ok()
        });
        assert_eq!(contents.get::<_, Option<Vec<String>>>(0).unwrap_or_default(), wanted);
    };
    settled("SELECT 1", &["one", "two"]);
    settled(r#"UPDATE "Odd ""Table" SET "Select" = 'three' WHERE mood = 'sad'"#, &["three", "two"]);
    settled(r#"UPDATE "Odd ""Table" SET "The Key" = 'other' WHERE mood = 'sad'"#, &["three", "two"]);
    settled(r#"DELETE FROM "Odd ""Table" WHERE "The Key" = 'other'"#, &["two"]);
}
