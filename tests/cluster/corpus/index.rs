//! The vector index of a corpus is built while it is used: no session waits for it, and nothing is lost when it is
//! interrupted.

use super::{check, settle, status, value, wait, wait_for_state};
use crate::search::{drain, listening};
use crate::sqlstate;
use postgres::Client;
use socle_tests::{Cluster, eventually};

/// A corpus whose index cannot be finished as long as the second client's transaction, with its old snapshot, is open.
fn while_its_index_is_built(configuration: &str) -> (Cluster, Client, Client) {
    let cluster = Cluster::with_models(configuration);
    let (mut client, mut reader) = (cluster.connect(), cluster.connect());
    create(&mut client, &mut reader);
    building(&mut client);
    (cluster, client, reader)
}

fn create(client: &mut Client, reader: &mut Client) {
    client
        .batch_execute(
            "CREATE TABLE article (id int PRIMARY KEY, title text, body text);
             INSERT INTO article SELECT i, 'title ' || i, 'body of article ' || i FROM generate_series(1, 5) i",
        )
        .unwrap();
    reader.batch_execute("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT pg_current_snapshot()").unwrap();
    client
        .batch_execute(
            "SELECT socle.create_corpus('handbook', 'article', ARRAY['body'], title => 'title', model => 'minilm')",
        )
        .unwrap();
}

/// The process that builds an index, once the build waits for old snapshots.
fn building(client: &mut Client) -> i32 {
    eventually("the index is being built", || {
        let sql = "SELECT pid FROM pg_stat_progress_create_index WHERE phase = 'waiting for old snapshots'";
        client.query_opt(sql, &[]).unwrap().map(|row| row.get(0))
    })
}

fn is_valid(client: &mut Client) -> bool {
    value(client, "SELECT bool_and(indisvalid) FROM pg_index WHERE indrelid = 'handbook_chunk'::regclass")
}

#[test]
fn changes_are_worked_on_while_the_index_is_built() {
    let (cluster, mut client, mut reader) = while_its_index_is_built("");
    let (mut searcher, told) = listening(&cluster);
    searcher.query("SELECT FROM socle.search('handbook', 'article')", &[]).unwrap();
    assert_eq!(drain(&told), "the vector index of corpus \"handbook\" is still being built: every vector is compared");
    client
        .batch_execute("INSERT INTO article VALUES (6, 'new', 'new article'); DELETE FROM article WHERE id = 1")
        .unwrap();
    wait(&mut client);
    check(&mut client);
    let state: String = value(&mut client, "SELECT state FROM socle.corpus_status");
    assert_eq!(state, "filling");
    assert!(!is_valid(&mut client));
    reader.batch_execute("COMMIT").unwrap();
    client.batch_execute("CALL socle.sync_corpus('handbook')").unwrap();
    let state: String = value(&mut client, "SELECT state FROM socle.corpus_status");
    assert_eq!(state, "active", "{}", status(&mut client));
    assert!(is_valid(&mut client));
    settle(&mut client);
}

#[test]
fn dropping_the_corpus_does_not_wait_for_its_index() {
    let (_cluster, mut client, mut reader) = while_its_index_is_built("");
    client.batch_execute("SET statement_timeout = '60 s'; SELECT socle.drop_corpus('handbook')").unwrap();
    let left: i64 = value(&mut client, "SELECT count(*) FROM pg_class WHERE relname LIKE 'handbook%'");
    assert_eq!(left, 0);
    reader.batch_execute("COMMIT").unwrap();
}

#[test]
fn who_drops_the_log_and_then_the_chunks_does_not_wait_for_the_index() {
    // No worker can make way for the second command: each waits for the log that the first has dropped.
    let (_cluster, mut client, mut reader) = while_its_index_is_built("");
    let drop =
        "SET lock_timeout = '10 s'; BEGIN; DROP TABLE handbook_change; DROP TABLE handbook_chunk CASCADE; COMMIT";
    client.batch_execute(drop).unwrap();
    assert_eq!(value::<i64>(&mut client, "SELECT count(*) FROM socle.corpus"), 0);
    reader.batch_execute("COMMIT").unwrap();
}

#[test]
fn a_source_that_is_dropped_as_the_index_is_complete_meets_no_error() {
    // A commit takes some time.
    let (_cluster, mut client, mut reader) =
        while_its_index_is_built("fsync = on\ncommit_delay = 20000\ncommit_siblings = 0");
    for again in [true, true, true, false] {
        building(&mut client);
        reader.batch_execute("COMMIT").unwrap();
        client.batch_execute("DROP TABLE article CASCADE").unwrap();
        let left: i64 = value(&mut client, "SELECT count(*) FROM pg_class WHERE relname LIKE 'handbook%'");
        assert_eq!(left, 0);
        if again {
            create(&mut client, &mut reader);
        }
    }
}

#[test]
fn an_interrupted_build_is_begun_again() {
    let (_cluster, mut client, mut reader) = while_its_index_is_built("");
    for end in ["pg_cancel_backend", "pg_terminate_backend"] {
        let pid = building(&mut client);
        client.batch_execute(&format!("SELECT {end}({pid})")).unwrap();
        eventually("the build is given up", || {
            let sql = format!(
                "SELECT count(*) = 0 FROM pg_stat_progress_create_index WHERE pid = {pid} AND phase = 'waiting for old snapshots'"
            );
            value::<bool>(&mut client, &sql).then_some(())
        });
    }
    building(&mut client);
    reader.batch_execute("COMMIT").unwrap();
    wait_for_state(&mut client, "active");
    let indexes: i64 = value(
        &mut client,
        "SELECT count(*) FROM pg_class WHERE relkind = 'i' AND relname LIKE 'handbook_chunk_embedding%'",
    );
    assert_eq!(indexes, 1);
    assert!(is_valid(&mut client));
    settle(&mut client);
}

#[test]
fn who_waits_in_the_foreground_is_in_nobodys_way() {
    let (_cluster, mut client, mut reader) = while_its_index_is_built("");
    let in_block = client.batch_execute("BEGIN; CALL socle.sync_corpus('handbook')");
    assert_eq!(sqlstate(in_block), "25001");
    client.batch_execute("ROLLBACK").unwrap();
    let in_function = client.batch_execute(
        "DO $$ BEGIN PERFORM 1; CALL socle.sync_corpus('handbook'); EXCEPTION WHEN division_by_zero THEN NULL; END $$",
    );
    assert_eq!(sqlstate(in_function), "25001");
    client.batch_execute("SET statement_timeout = '1 s'").unwrap();
    assert_eq!(sqlstate(client.batch_execute("CALL socle.sync_corpus('handbook')")), "57014");
    client.batch_execute("RESET statement_timeout").unwrap();
    reader.batch_execute("COMMIT").unwrap();
    // The snapshots of the worker that builds the index would keep the index from ever being complete.
    client.batch_execute("CALL socle.sync_corpus('handbook')").unwrap();
    assert!(is_valid(&mut client));
    client.batch_execute("SELECT socle.alter_corpus('handbook', max_tokens => 50)").unwrap();
    client.batch_execute("CALL socle.sync_corpus('handbook')").unwrap();
    let tokens: i32 = value(&mut client, "SELECT max_tokens FROM socle.corpus");
    assert_eq!(tokens, 50, "the swap was waited for");
    settle(&mut client);
}

#[test]
fn commands_on_the_chunk_table_come_before_its_index() {
    // Beside the only sync worker that is allowed, a worker is started that watches the build.
    for configuration in ["", "socle.sync_workers = 1"] {
        let (_cluster, mut client, mut reader) = while_its_index_is_built(configuration);
        // Each session has a snapshot that the build would wait for, and waits for a lock that the build holds.
        for command in ["ALTER TABLE handbook_chunk SET (autovacuum_enabled = false)", "LOCK TABLE handbook_chunk"] {
            building(&mut client);
            client.batch_execute(&format!("SET statement_timeout = '60 s'; {command}")).unwrap();
        }
        client.batch_execute("RESET statement_timeout; INSERT INTO article VALUES (7, 'seven', 'meanwhile')").unwrap();
        building(&mut client);
        wait(&mut client);
        reader.batch_execute("COMMIT").unwrap();
        client.batch_execute("CALL socle.sync_corpus('handbook')").unwrap();
        settle(&mut client);
    }
}

#[test]
fn an_index_has_another_name_where_its_own_is_taken() {
    let cluster = Cluster::with_models("");
    let mut client = cluster.connect();
    client
        .batch_execute(
            "CREATE TABLE squat (a int); CREATE INDEX handbook_chunk_embedding_idx ON squat (a);
             CREATE TABLE article (id int PRIMARY KEY, title text, body text);
             INSERT INTO article SELECT i, 'title ' || i, 'body of article ' || i FROM generate_series(1, 5) i;
             SELECT socle.create_corpus('handbook', 'article', ARRAY['body'], title => 'title', model => 'minilm')",
        )
        .unwrap();
    let indexes = |client: &mut Client| -> Vec<String> {
        let sql = "SELECT c.relname::text FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_am a ON a.oid = c.relam
                   WHERE i.indrelid = 'handbook_chunk'::regclass AND a.amname = 'hnsw' AND i.indisvalid";
        client.query(sql, &[]).unwrap().into_iter().map(|row| row.get(0)).collect()
    };
    client.batch_execute("CALL socle.sync_corpus('handbook')").unwrap();
    wait_for_state(&mut client, "active");
    assert_eq!(indexes(&mut client), ["handbook_chunk_embedding_idx2"]);
    settle(&mut client);
    // The corpus that replaces it finds a name, too, and the index is known by it. Indexes of other tables keep theirs.
    client.batch_execute("CREATE INDEX \"handbook~next_chunk_embedding_idx\" ON squat (a)").unwrap();
    client.batch_execute("SELECT socle.alter_corpus('handbook', max_tokens => 50)").unwrap();
    client.batch_execute("CALL socle.sync_corpus('handbook')").unwrap();
    assert_eq!(value::<i32>(&mut client, "SELECT max_tokens FROM socle.corpus"), 50, "the swap was waited for");
    let found = indexes(&mut client);
    assert!(found.len() == 1 && found[0].starts_with("handbook_chunk_embedding_idx"), "{found:?}");
    let of_others = "SELECT string_agg(indexrelid::regclass::text, ' ' ORDER BY indexrelid) FROM pg_index WHERE indrelid = 'squat'::regclass";
    assert_eq!(
        value::<String>(&mut client, of_others),
        "handbook_chunk_embedding_idx \"handbook~next_chunk_embedding_idx\""
    );
    // A change of the key has it built again.
    client.batch_execute("ALTER TABLE article DROP CONSTRAINT article_pkey, ADD PRIMARY KEY (title)").unwrap();
    client.batch_execute("SELECT socle.resume_corpus('handbook')").unwrap();
    client.batch_execute("CALL socle.sync_corpus('handbook')").unwrap();
    wait_for_state(&mut client, "active");
    assert_eq!(indexes(&mut client).len(), 1);
    assert_eq!(
        value::<i64>(&mut client, "SELECT count(*) FROM pg_class WHERE relname = 'handbook_chunk_embedding_idx'"),
        1
    );
}
