//! A corpus over a table that logical replication writes to.

use super::{settle, value, with_corpus};
use postgres::Client;
use socle_tests::{Cluster, eventually};

/// Waits until both tables hold the same rows.
fn catch_up(publisher: &mut Client, subscriber: &mut Client) {
    let sql = "SELECT md5(coalesce(string_agg(a::text, ' ' ORDER BY id), '')) FROM article a";
    let wanted: String = value(publisher, sql);
    eventually("the subscriber has caught up", || (value::<String>(subscriber, sql) == wanted).then_some(()));
}

/// Neither a call of socle nor a write by another session wakes the worker.
fn wait_without_a_word(subscriber: &mut Client) {
    let sql = "SELECT (SELECT count(*) FROM handbook_change) = 0
                   AND (SELECT count(*) FROM handbook_chunk) = (SELECT count(*) FROM article)";
    eventually("the chunks follow", || value::<bool>(subscriber, sql).then_some(()));
}

#[test]
fn a_subscriber_keeps_its_chunks_true() {
    let source = Cluster::new("wal_level = logical\nlogical_decoding_work_mem = '64kB'");
    source.start();
    let mut publisher = source.connect();
    publisher
        .batch_execute(
            "CREATE TABLE article (id int PRIMARY KEY, title text, body text);
             INSERT INTO article SELECT i, 'title', 'copied ' || i FROM generate_series(1, 50) i;
             CREATE PUBLICATION everything FOR TABLE article",
        )
        .unwrap();
    let cluster = Cluster::with_models("");
    let mut subscriber = cluster.connect();
    // Partitioned on the subscriber only: rows are routed to leaf partitions, and TRUNCATE reaches all of them.
    subscriber
        .batch_execute(
            "CREATE TABLE article (id int PRIMARY KEY, title text, body text) PARTITION BY RANGE (id);
             CREATE TABLE article_1 PARTITION OF article FOR VALUES FROM (0) TO (30);
             CREATE TABLE article_2 PARTITION OF article DEFAULT;
             SELECT socle.create_corpus('handbook', 'article', ARRAY['body'], title => 'title', model => 'minilm')",
        )
        .unwrap();
    settle(&mut subscriber);
    let connection = format!("host={} user=postgres dbname=postgres", source.directory().display());
    let subscription = format!(
        "CREATE SUBSCRIPTION everything CONNECTION '{connection}' PUBLICATION everything WITH (streaming = on)"
    );
    subscriber.batch_execute(&subscription).unwrap();
    catch_up(&mut publisher, &mut subscriber);
    wait_without_a_word(&mut subscriber);
    for sql in [
        "INSERT INTO article VALUES (100, 't', 'inserted')",
        "UPDATE article SET body = 'updated' WHERE id = 1",
        "UPDATE article SET title = 'of another kind' WHERE id = 2",
        "UPDATE article SET id = 200 WHERE id = 3",
        "DELETE FROM article WHERE id BETWEEN 4 AND 10",
        // More changes than decoding keeps in memory, some of them rolled back: streamed before the commit.
        "BEGIN; INSERT INTO article SELECT i, 't', 'streamed ' || i FROM generate_series(1000, 3499) i; SAVEPOINT a;
         INSERT INTO article SELECT i, 't', 'lost ' || i FROM generate_series(5000, 6999) i; ROLLBACK TO a;
         UPDATE article SET body = 'streamed, too' WHERE id = 1; COMMIT",
        "TRUNCATE article",
        "BEGIN; INSERT INTO article VALUES (1, 't', 'short-lived'); TRUNCATE article; INSERT INTO article VALUES (2, 't', 'last'); COMMIT",
    ] {
        publisher.batch_execute(sql).unwrap();
        catch_up(&mut publisher, &mut subscriber);
        wait_without_a_word(&mut subscriber);
        settle(&mut subscriber);
    }
    // The subscription has to be dropped before the publisher is stopped.
    subscriber.batch_execute("DROP SUBSCRIPTION everything").unwrap();
}

/// A table from which rows are deleted needs a replica identity then, whatever wal_level is.
#[test]
fn a_publication_of_all_tables_stops_no_worker_and_a_reason_goes_with_its_cause() {
    let (_cluster, mut client) = with_corpus(5);
    client
        .batch_execute(
            "CREATE TABLE other (id int PRIMARY KEY, body text);
             SELECT socle.create_corpus('other', 'other', ARRAY['body'], model => 'minilm')",
        )
        .unwrap();
    client.batch_execute("CALL socle.sync_corpus('other')").unwrap();
    client.batch_execute("CREATE PUBLICATION everything FOR ALL TABLES").unwrap();
    client.batch_execute("INSERT INTO article VALUES (6, 'six', 'body'); DELETE FROM article WHERE id = 1").unwrap();
    settle(&mut client);
    let reasons = |client: &mut Client| -> Vec<Option<String>> {
        let sql = "SELECT state_reason FROM socle.corpus WHERE state = 'active' ORDER BY name";
        client.query(sql, &[]).unwrap().into_iter().map(|row| row.get(0)).collect()
    };
    assert_eq!(reasons(&mut client), [None, None]);
    // An error that workers meet in every corpus, with changes and without.
    client.batch_execute("ALTER TABLE socle.missed_change REPLICA IDENTITY NOTHING").unwrap();
    client.batch_execute("INSERT INTO article VALUES (7, 'seven', 'body')").unwrap();
    eventually("both say so", || reasons(&mut client).iter().all(Option::is_some).then_some(()));
    client.batch_execute("ALTER TABLE socle.missed_change REPLICA IDENTITY FULL").unwrap();
    settle(&mut client);
    eventually("neither says so any more", || reasons(&mut client).iter().all(Option::is_none).then_some(()));
    client.batch_execute("SELECT socle.drop_corpus('other')").unwrap();
}
