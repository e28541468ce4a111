//! Files that are not read: larger than the limit, or large objects without a privilege.

use super::value;
use postgres::{Client, NoTls};
use socle_tests::{Cluster, error_of, eventually};

fn waits(client: &mut Client) -> bool {
    value(client, "SELECT socle.wait_for_corpus('files', '2 minutes')")
}

fn create(client: &mut Client) {
    let arguments = "model => 'minilm', document => 'data', max_attempts => 1";
    client.batch_execute(&format!("SELECT socle.create_corpus('files', 'file', {arguments})")).unwrap();
}

/// Key, SQLSTATE and message of what has failed.
fn failures(client: &mut Client) -> Vec<(String, String, String)> {
    let sql = "SELECT source_key ->> 'id', error_sqlstate, error_message FROM socle.job_failure ORDER BY 1";
    client.query(sql, &[]).unwrap().into_iter().map(|row| (row.get(0), row.get(1), row.get(2))).collect()
}

#[test]
fn a_file_beyond_the_limit_is_never_fetched() {
    let cluster = Cluster::with_models("socle.max_document_bytes = 1000");
    let mut client = cluster.connect();
    client.batch_execute("CREATE TABLE file (id int PRIMARY KEY, data bytea)").unwrap();
    create(&mut client);
    client
        .batch_execute(
            "ALTER TABLE file ALTER data SET STORAGE EXTERNAL;
             INSERT INTO file VALUES (1, 'small'), (2, convert_to(repeat('large ', 10000), 'UTF8'))",
        )
        .unwrap();
    assert!(!waits(&mut client), "one has failed");
    let message = "document has 60000 bytes, the limit is 1000".to_string();
    assert!(failures(&mut client)[0].2.starts_with(&message), "{:?}", failures(&mut client));
    assert_eq!(failures(&mut client).len(), 1);
    assert_eq!(failures(&mut client)[0].1, "54000");
    assert_eq!(value::<String>(&mut client, "SELECT string_agg(content, ' ') FROM files_chunk"), "small");
    // Compares the source again, and counts the bytes that are fetched.
    let fetched = "SELECT toast_blks_read + toast_blks_hit FROM pg_statio_user_tables WHERE relname = 'file'";
    client.batch_execute("SELECT pg_stat_force_next_flush()").unwrap();
    let before: i64 = value(&mut client, fetched);
    let problems = "SELECT count(*) FROM socle.verify_corpus('files')";
    assert_eq!(value::<i64>(&mut client, problems), 1);
    client.batch_execute("SELECT pg_stat_force_next_flush()").unwrap();
    let looked = "SELECT heap_blks_read + heap_blks_hit FROM pg_statio_user_tables WHERE relname = 'file'";
    let seen: i64 = value(&mut client, looked);
    client.batch_execute("SELECT socle.retry_failed('files')").unwrap();
    assert!(!waits(&mut client));
    eventually("what the worker has read is counted", || (value::<i64>(&mut client, looked) > seen).then_some(()));
    assert_eq!(value::<i64>(&mut client, fetched), before);
    client.batch_execute("UPDATE file SET data = 'now small' WHERE id = 2").unwrap();
    assert!(waits(&mut client));
}

#[test]
fn a_large_object_beyond_the_limit_is_not_read() {
    let cluster = Cluster::with_models("socle.max_document_bytes = 1000");
    let mut client = cluster.connect();
    client.batch_execute("CREATE TABLE file (id int PRIMARY KEY, data oid)").unwrap();
    create(&mut client);
    client
        .batch_execute("INSERT INTO file VALUES (1, lo_from_bytea(0, 'small')), (2, lo_from_bytea(0, convert_to(repeat('large ', 10000), 'UTF8')))")
        .unwrap();
    assert!(!waits(&mut client), "one has failed");
    let [(id, state, message)] = failures(&mut client).try_into().unwrap();
    assert_eq!((id.as_str(), state.as_str()), ("2", "54000"));
    assert!(message.starts_with("document has more than 1000 bytes, the limit is 1000"), "{message}");
    client.batch_execute("ALTER SYSTEM SET socle.max_document_bytes = 100000").unwrap();
    client.batch_execute("SELECT pg_reload_conf()").unwrap();
    eventually("a worker has the new limit", || {
        client.batch_execute("SELECT socle.retry_failed('files')").unwrap();
        waits(&mut client).then_some(())
    });
    assert_eq!(value::<i64>(&mut client, "SELECT count(DISTINCT source_id) FROM files_chunk"), 2);
}

#[test]
fn nobody_reads_a_large_object_of_another_through_a_corpus() {
    let cluster = Cluster::with_models("");
    let mut client = cluster.connect();
    client
        .batch_execute(
            "CREATE ROLE alice LOGIN; CREATE ROLE bob LOGIN; GRANT CREATE ON SCHEMA public TO alice;
             SET ROLE alice;
             CREATE TABLE file (id int PRIMARY KEY, data oid);
             GRANT INSERT, UPDATE, SELECT ON file TO bob;
             SELECT lo_from_bytea(4711, 'the secret of Alice');",
        )
        .unwrap();
    create(&mut client);
    client.batch_execute("GRANT SELECT ON files_chunk TO bob; INSERT INTO file VALUES (1, 4711)").unwrap();
    client.batch_execute("RESET ROLE").unwrap();
    assert!(waits(&mut client));
    let mut bob = cluster.configuration().user("bob").connect(NoTls).unwrap();
    let refused = |bob: &mut Client, sql: &str, state: &str, message: &str| {
        let (found, text, detail, _) = error_of(&bob.batch_execute(sql).expect_err(sql));
        assert_eq!((found.as_str(), text.as_str()), (state, message), "{sql}");
        assert!(state != "42501" || detail.contains("Column \"data\" belongs to a corpus"), "{detail}");
    };
    let denied = "permission denied for large object 4711";
    refused(&mut bob, "INSERT INTO file VALUES (2, 4711)", "42501", denied);
    refused(&mut bob, "INSERT INTO file VALUES (2, 4712)", "42704", "large object 4712 does not exist");
    // A role may use its own large objects; one that Alice may not read is an error of that row, and of no other.
    bob.batch_execute("INSERT INTO file VALUES (2, lo_from_bytea(4713, 'from Bob')), (4, NULL)").unwrap();
    refused(&mut bob, "UPDATE file SET data = 4711 WHERE id = 2", "42501", denied);
    refused(&mut bob, "INSERT INTO file VALUES (4) ON CONFLICT (id) DO UPDATE SET data = 4711", "42501", denied);
    // A large object that another role has set may stay in a row whose other columns change.
    bob.batch_execute("UPDATE file SET id = 5 WHERE id = 1").unwrap();
    assert!(!waits(&mut client));
    let [(id, state, _)] = failures(&mut client).try_into().unwrap();
    assert_eq!((id.as_str(), state.as_str()), ("2", "42501"));
    bob.batch_execute("GRANT SELECT ON LARGE OBJECT 4713 TO alice").unwrap();
    client.batch_execute("SELECT socle.retry_failed('files')").unwrap();
    assert!(waits(&mut client));
    let contents = "SELECT string_agg(content, '; ' ORDER BY source_id) FROM files_chunk";
    assert_eq!(value::<String>(&mut client, contents), "from Bob; the secret of Alice");
}
