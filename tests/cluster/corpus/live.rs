//! Nothing stops the work on other corpora: not an old snapshot, a lock, a trigger that never ends, the backlog of another,
//! a worker that died. And a session that waits sees why.

use super::{settle, status, value, with_corpus};
use postgres::Client;
use socle_tests::{Cluster, eventually};

fn reason(client: &mut Client, corpus: &str) -> String {
    let sql = "SELECT coalesce(state_reason, '') FROM socle.corpus_status WHERE name = $1";
    client.query_one(sql, &[&corpus]).unwrap().get(0)
}

fn state(client: &mut Client, corpus: &str) -> String {
    client.query_one("SELECT state FROM socle.corpus_status WHERE name = $1", &[&corpus]).unwrap().get(0)
}

fn wait_for(client: &mut Client, corpus: &str) {
    let done: bool = client.query_one("SELECT socle.wait_for_corpus($1, '2 minutes')", &[&corpus]).unwrap().get(0);
    let all: String = value(client, "SELECT string_agg(s::text, E'\\n') FROM socle.corpus_status s");
    assert!(done, "{corpus}: {all}");
}

/// A table of one row and a corpus over it, of the same name.
fn make(client: &mut Client, corpus: &str) {
    let sql = format!(
        "CREATE TABLE {corpus} (id int PRIMARY KEY, body text); INSERT INTO {corpus} VALUES (1, 'text of {corpus}');
         SELECT socle.create_corpus('{corpus}', '{corpus}', ARRAY['body'], model => 'minilm')"
    );
    client.batch_execute(&sql).unwrap();
}

fn workers(client: &mut Client) -> Vec<i32> {
    let sql = "SELECT pid FROM socle.worker_status WHERE database = current_database() AND activity !~ '^building'";
    client.query(sql, &[]).unwrap().iter().map(|row| row.get(0)).collect()
}

#[test]
fn an_old_snapshot_holds_up_vector_indexes_and_nothing_else() {
    let (cluster, mut client) = with_corpus(2);
    super::wait_for_state(&mut client, "active");
    let mut reader = cluster.connect();
    reader.batch_execute("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM article").unwrap();
    let pid: i32 = value(&mut reader, "SELECT pg_backend_pid()");
    // More indexes than there are workers of any kind.
    for corpus in ["a", "b", "c", "d", "e"] {
        make(&mut client, corpus);
    }
    for corpus in ["a", "b", "c", "d", "e"] {
        wait_for(&mut client, corpus);
    }
    // The documents that were waited for are there, although the build of some indexes has not begun.
    let (mut searcher, heard) = cluster.connect_and_listen();
    for corpus in ["a", "b", "c", "d", "e"] {
        searcher.batch_execute(&format!("SELECT count(*) FROM socle.search('{corpus}', 'article')")).unwrap();
        let built = format!("the vector index of corpus \"{corpus}\" is still being built: every vector is compared");
        assert_eq!(heard.try_iter().collect::<Vec<_>>(), [built]);
    }
    let waits = eventually("it says what the index waits for", || {
        let reason = reason(&mut client, "a");
        reason.contains("vector index waits").then_some(reason)
    });
    assert!(waits.contains(&format!("transaction of process {pid}, open for 00:0")), "{waits}");
    client.batch_execute("CREATE ROLE watcher IN ROLE pg_monitor; SET ROLE watcher").unwrap();
    let watched = reason(&mut client, "a");
    client.batch_execute("RESET ROLE; UPDATE article SET body = 'changed meanwhile' WHERE id = 1").unwrap();
    assert!(watched.contains(&format!("transaction of process {pid}, open for 00:0")), "{watched}");
    settle(&mut client);
    make(&mut client, "f");
    wait_for(&mut client, "f");
    // A role that may not see the other transaction learns no more than that it exists.
    client
        .batch_execute("CREATE ROLE keeper; GRANT SELECT ON a_change, a_document TO keeper; SET ROLE keeper")
        .unwrap();
    let said = reason(&mut client, "a");
    assert!(said.is_empty() || said.ends_with(&format!("process {pid}")), "{said}");
    client.batch_execute("RESET ROLE").unwrap();
    reader.batch_execute("COMMIT").unwrap();
    for corpus in ["a", "b", "c", "d", "e", "f"] {
        client.batch_execute(&format!("CALL socle.sync_corpus('{corpus}')")).unwrap();
        assert_eq!((state(&mut client, corpus).as_str(), reason(&mut client, corpus).as_str()), ("active", ""));
    }
}

#[test]
fn a_worker_that_ended_is_replaced_whatever_ended_it() {
    let cluster = Cluster::with_models("socle.sync_workers = 1");
    let mut client = cluster.connect();
    client
        .batch_execute(
            "CREATE TABLE article (id int PRIMARY KEY, title text, body text);
             INSERT INTO article SELECT i, 't', repeat('body of article ' || i || '. ', 20) FROM generate_series(1, 1500) i;
             SELECT socle.create_corpus('handbook', 'article', ARRAY['body'], title => 'title', model => 'minilm')",
        )
        .unwrap();
    // No session writes, and no session waits, because either would have a worker started.
    let done = |client: &mut Client| value::<i64>(client, "SELECT count(*) FROM handbook_document");
    let goes_on = |client: &mut Client, why: &str| {
        let before = done(client);
        eventually(&format!("it goes on after {why}"), || (done(client) > before).then_some(()));
    };
    goes_on(&mut client, "the start");
    client
        .batch_execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = 'socle sync'")
        .unwrap();
    goes_on(&mut client, "the end of its worker");
    // Longer than a worker waits for a lock.
    client
        .batch_execute("BEGIN; LOCK TABLE socle.corpus IN ACCESS EXCLUSIVE MODE; SELECT pg_sleep(2); COMMIT")
        .unwrap();
    goes_on(&mut client, "a lock on a table of socle");
    let pid: i32 = value(&mut client, "SELECT pg_backend_pid()");
    let mut observer = cluster.connect();
    client.batch_execute("BEGIN; LOCK TABLE handbook_document IN SHARE MODE").unwrap();
    eventually("the lock is shown", || {
        let said = reason(&mut observer, "handbook");
        said.starts_with(&format!("public.handbook_document is locked by the transaction of process {pid}, open for"))
            .then_some(())
    });
    client.batch_execute("ROLLBACK").unwrap();
    // Limits and defaults for sessions of the database, which reach workers too.
    let version: i32 = value(&mut client, "SELECT current_setting('server_version_num')::int / 10000");
    for setting in
        ["transaction_timeout = 20", "statement_timeout = 20", "default_transaction_isolation = 'serializable'"]
    {
        if version >= 17 || !setting.starts_with("transaction_timeout") {
            client.batch_execute(&format!("ALTER DATABASE postgres SET {setting}")).unwrap();
        }
    }
    client
        .batch_execute("ALTER ROLE postgres SET lock_timeout = 1; ALTER ROLE postgres SET role = 'pg_monitor'")
        .unwrap();
    client
        .batch_execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = 'socle sync'")
        .unwrap();
    goes_on(&mut client, "limits of the database");
    // Parallel workers of this session begin with them.
    client.batch_execute("ALTER DATABASE postgres RESET ALL").unwrap();
    settle(&mut client);
}

#[test]
fn a_lease_ends_with_its_worker_though_its_process_number_lives() {
    let (_cluster, mut client) = with_corpus(3);
    let pid = eventually("there is a worker", || workers(&mut client).first().copied());
    // A lease as another server has left it, or this one before its container was restarted.
    let sql = "INSERT INTO handbook_change (source_id, lease_id, lease_pid, lease_until)
               VALUES (1, gen_random_uuid(), $1, now() + interval '1 hour')";
    client.execute(sql, &[&pid]).unwrap();
    settle(&mut client);
}

#[test]
fn a_database_that_cannot_be_written_says_so_and_goes_on_by_itself() {
    let (_cluster, mut client) = with_corpus(2);
    super::wait_for_state(&mut client, "active");
    // A worker that goes on running does not keep the default that was set when it was started.
    eventually("there is a worker", || workers(&mut client).first().copied());
    client.batch_execute("ALTER DATABASE postgres SET default_transaction_read_only = on").unwrap();
    eventually("it has left", || workers(&mut client).is_empty().then_some(()));
    client.batch_execute("INSERT INTO article VALUES (10, 'new', 'alpha')").unwrap();
    let done: bool = value(&mut client, "SELECT socle.wait_for_corpus('handbook', '1 second')");
    assert!(!done);
    assert!(reason(&mut client, "handbook").starts_with("the database is read-only"), "{}", status(&mut client));
    let failed: i64 = value(&mut client, "SELECT failed_count FROM socle.corpus_status");
    assert_eq!(failed, 0);
    client.batch_execute("ALTER DATABASE postgres RESET default_transaction_read_only").unwrap();
    // No message is sent, and no session writes.
    eventually("it goes on", || (value::<i64>(&mut client, "SELECT count(*) FROM handbook_change") == 0).then_some(()));
    settle(&mut client);
    assert_eq!(reason(&mut client, "handbook"), "");
}

#[test]
fn what_an_owner_has_a_worker_run_has_a_time_limit_that_cannot_be_caught() {
    let cluster = Cluster::with_models("socle.sync_timeout = '3s'");
    let mut client = cluster.connect();
    for corpus in ["h1", "h2", "innocent"] {
        make(&mut client, corpus);
    }
    wait_for(&mut client, "innocent");
    client
        .batch_execute(
            "CREATE FUNCTION hang() RETURNS trigger LANGUAGE plpgsql AS $$
             BEGIN
                 LOOP
                     BEGIN
                         PERFORM pg_sleep(1000000);
                     EXCEPTION WHEN OTHERS THEN NULL; WHEN query_canceled THEN NULL;
                     END;
                 END LOOP;
             END $$;
             CREATE TRIGGER t BEFORE INSERT ON h1_chunk FOR EACH ROW EXECUTE FUNCTION hang();
             CREATE TRIGGER t BEFORE INSERT ON h2_chunk FOR EACH ROW EXECUTE FUNCTION hang();
             INSERT INTO h1 VALUES (2, 'alpha'); INSERT INTO h2 VALUES (2, 'alpha')",
        )
        .unwrap();
    eventually("both workers are held up, or one that was replaced", || {
        (state(&mut client, "h1") == "broken" || workers(&mut client).len() >= 2).then_some(())
    });
    client.batch_execute("INSERT INTO innocent VALUES (2, 'alpha')").unwrap();
    wait_for(&mut client, "innocent");
    for corpus in ["h1", "h2"] {
        eventually("it is broken", || (state(&mut client, corpus) == "broken").then_some(()));
        let said = reason(&mut client, corpus);
        assert!(said.contains("took longer than socle.sync_timeout, 3 s"), "{said}");
    }
    client.batch_execute("DROP FUNCTION hang CASCADE").unwrap();
    for corpus in ["h1", "h2"] {
        client.batch_execute(&format!("SELECT socle.resume_corpus('{corpus}')")).unwrap();
        wait_for(&mut client, corpus);
        let chunks: i64 = value(&mut client, &format!("SELECT count(*) FROM {corpus}_chunk"));
        assert_eq!(chunks, 2);
    }
}

#[test]
fn a_row_does_not_wait_for_the_backlog_of_others() {
    let cluster = Cluster::with_models("socle.sync_workers = 1");
    let mut admin = cluster.connect_to("template1");
    for name in ["busy", "quiet"] {
        eventually("it is made", || admin.batch_execute(&format!("CREATE DATABASE {name} TEMPLATE postgres")).ok());
    }
    let (mut busy, mut quiet) = (cluster.connect_to("busy"), cluster.connect_to("quiet"));
    make(&mut quiet, "small");
    make(&mut busy, "small");
    wait_for(&mut quiet, "small");
    wait_for(&mut busy, "small");
    busy.batch_execute(
        "CREATE TABLE large (id int PRIMARY KEY, body text);
         INSERT INTO large SELECT i, string_agg('Word ' || i * n || ' of sentence ' || n || '.', ' ')
             FROM generate_series(1, 6000) i, generate_series(1, 30) n GROUP BY i;
         SELECT socle.create_corpus('large', 'large', ARRAY['body'], model => 'minilm')",
    )
    .unwrap();
    eventually("the backlog is worked on", || {
        (value::<i64>(&mut busy, "SELECT count(*) FROM large_document") > 0).then_some(())
    });
    for number in 10..13 {
        for client in [&mut busy, &mut quiet] {
            client.batch_execute(&format!("INSERT INTO small VALUES ({number}, 'one more row {number}')")).unwrap();
        }
        wait_for(&mut busy, "small");
        wait_for(&mut quiet, "small");
    }
    let left: i64 = value(&mut busy, "SELECT count(*) FROM large_change");
    assert!(left > 0, "the backlog was there all the time");
    let counted: i64 = value(&mut busy, "SELECT coalesce(max(attempt_count), 0)::bigint FROM large_change");
    assert_eq!(counted, 0, "what was handed back was no attempt");
}

/// As the supervisor asks it to where another database waits: by the same signal.
#[test]
fn a_worker_that_is_asked_to_leave_leaves_a_keyword_index_half_written() {
    let cluster = Cluster::with_models("");
    let mut client = cluster.connect();
    // Equal texts are embedded once.
    client
        .batch_execute(
            "CREATE TABLE large (id int PRIMARY KEY, body text);
             INSERT INTO large SELECT i, 'Text ' || i % 20 || ' of many that are alike: ' || repeat('write ahead log; ', 10)
                 FROM generate_series(1, 25000) i;
             SELECT socle.create_corpus('large', 'large', ARRAY['body'], model => 'minilm')",
        )
        .unwrap();
    client.batch_execute("CALL socle.sync_corpus('large')").unwrap();
    // As after an update that changes the format: a search has the whole index written again.
    client
        .batch_execute(
            "UPDATE socle.keyword_segment_part SET format = 0;
             SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'socle sync'",
        )
        .unwrap();
    let indexed = "SELECT coalesce(sum(chunk_count) FILTER (WHERE part_number = 1), 0)::bigint
                   FROM socle.keyword_segment_part WHERE format > 0";
    let worker: i32 = eventually("the keyword index is being written", || {
        client.batch_execute("SELECT socle.search('large', 'log', mode => 'keyword')").unwrap();
        let pid = "SELECT max(pid) FROM pg_stat_activity WHERE query = 'completing the keyword index of corpus large'";
        value::<Option<i32>>(&mut client, pid).filter(|_| value::<i64>(&mut client, indexed) > 0)
    });
    socle_tests::signal(worker.cast_unsigned(), libc::SIGUSR2);
    let is_there = format!("SELECT EXISTS (SELECT FROM pg_stat_activity WHERE pid = {worker})");
    eventually("the worker leaves", || (!value::<bool>(&mut client, &is_there)).then_some(()));
    let done: i64 = value(&mut client, indexed);
    assert!(done < 25_000, "it left when all was done");
    eventually("another worker goes on", || (value::<i64>(&mut client, indexed) == 25_000).then_some(()));
}
