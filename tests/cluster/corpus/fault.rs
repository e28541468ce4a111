//! Whatever process ends while it works, the corpus is in sync in the end.

use super::{check, settle, status, value, wait, wait_for_state, with_corpus};
use crate::model::register_lasting;
use postgres::Client;
use socle_tests::{Cluster, eventually, signal};
use std::time::Duration;

fn sync_pids(client: &mut Client) -> Vec<i32> {
    let sql = "SELECT pid FROM pg_stat_activity WHERE backend_type = 'socle sync'";
    client.query(sql, &[]).unwrap().iter().map(|row| row.get(0)).collect()
}

const FILL: &str =
    "INSERT INTO article SELECT i, 'title ' || i, 'a longer body of article ' || i || repeat(' with some words', 10)
                    FROM generate_series(1000, 2999) i";

#[test]
fn the_engine_is_killed_again_and_again() {
    let (cluster, mut client) = with_corpus(3);
    client.batch_execute(FILL).unwrap();
    let mut last = 0;
    for round in 0..6_u64 {
        let engine = eventually("there is an engine", || cluster.engine_pid().filter(|pid| *pid != last));
        std::thread::sleep(Duration::from_millis(round * 61 % 300));
        signal(engine, libc::SIGKILL);
        last = engine;
    }
    settle(&mut client);
    assert!(!cluster.log().contains("terminated by signal"), "no process of Postgres died");
}

#[test]
fn workers_die_and_the_server_stops_in_the_middle() {
    let (cluster, mut client) = with_corpus(3);
    client.batch_execute(FILL).unwrap();
    let pid = eventually("a worker works", || sync_pids(&mut client).first().copied());
    std::thread::sleep(Duration::from_millis(300));
    // Like every death of a process that is attached to shared memory, this restarts all of them.
    signal(pid.cast_unsigned(), libc::SIGKILL);
    eventually("sessions end", || client.query_opt("SELECT 1", &[]).err().map(drop));
    let mut client = cluster.wait_for_connection();
    // Nothing is preloaded: the first call has work resumed.
    wait(&mut client);
    check(&mut client);
    client.batch_execute("UPDATE article SET body = body || '!'").unwrap();
    std::thread::sleep(Duration::from_millis(400));
    drop(client);
    cluster.stop("immediate");
    cluster.start();
    settle(&mut cluster.connect());
}

#[test]
fn a_terminated_worker_is_replaced() {
    let (_cluster, mut client) = with_corpus(3);
    client.batch_execute(FILL).unwrap();
    for _ in 0..5 {
        std::thread::sleep(Duration::from_millis(150));
        client
            .batch_execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = 'socle sync'")
            .unwrap();
    }
    settle(&mut client);
}

#[test]
fn no_transaction_is_open_while_the_engine_works_and_later_changes_win() {
    let cluster = Cluster::with_models("");
    register_lasting(&cluster, Duration::from_millis(1500));
    let mut client = cluster.connect();
    client
        .batch_execute(
            "CREATE TABLE article (id int PRIMARY KEY, title text, body text);
             INSERT INTO article VALUES (1, 't', 'slow one'), (2, 't', 'slow two'), (3, 't', 'slow three');
             SELECT socle.create_corpus('handbook', 'article', ARRAY['body'], model => 'slow')",
        )
        .unwrap();
    let waits = |client: &mut Client| {
        eventually("a worker waits for the engine", || {
            let sql = "SELECT backend_xmin IS NULL AND backend_xid IS NULL AND xact_start IS NULL FROM pg_stat_activity
                       WHERE backend_type = 'socle sync' AND query LIKE 'embedding%' AND wait_event <> 'SocleIdle' AND wait_event_type = 'Extension'";
            client.query_opt(sql, &[]).ok().flatten().map(|row| row.get::<_, bool>(0))
        })
    };
    assert!(waits(&mut client), "it holds no transaction and no snapshot");
    client.batch_execute("UPDATE article SET body = 'one two' WHERE id = 1; DELETE FROM article WHERE id = 2; UPDATE article SET id = 4 WHERE id = 3").unwrap();
    // A reader of the chunk table sees no chunk of a row that is gone, whatever the worker has yet to do.
    client
        .batch_execute("CREATE ROLE reader; GRANT SELECT ON article, handbook_chunk TO reader; SET ROLE reader")
        .unwrap();
    let ghosts: i64 = value(&mut client, "SELECT count(*) FROM handbook_chunk WHERE source_id IN (2, 3)");
    assert_eq!(ghosts, 0);
    client.batch_execute("RESET ROLE").unwrap();
    settle(&mut client);
}

#[test]
fn locks_of_users_are_respected() {
    let (cluster, mut client) = with_corpus(3);
    for table in ["article", "handbook_chunk", "handbook_change"] {
        let mut other = cluster.connect();
        client.batch_execute("UPDATE article SET body = body || ' again'").unwrap();
        other
            .batch_execute(&format!("BEGIN; LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE; SELECT pg_sleep(1); COMMIT"))
            .unwrap();
        settle(&mut client);
    }
    // Definitions change while many documents are being processed.
    client.batch_execute(FILL).unwrap();
    for _ in 0..5 {
        client.batch_execute("SET lock_timeout = '30s'; ALTER TABLE article ADD COLUMN extra int; ALTER TABLE article DROP COLUMN extra; ALTER TABLE handbook_chunk ADD COLUMN extra int; ALTER TABLE handbook_chunk DROP COLUMN extra").unwrap();
    }
    settle(&mut client);
}

#[test]
fn without_a_worker_slot_writers_go_on() {
    let (cluster, client) = with_corpus(3);
    drop(client);
    cluster.configure("max_worker_processes = 1");
    cluster.stop("fast");
    cluster.start();
    let mut client = cluster.connect();
    client.batch_execute("UPDATE article SET body = 'written all the same' WHERE id = 1").unwrap();
    let pending: i64 = value(&mut client, "SELECT pending_count FROM socle.corpus_status");
    assert_eq!(pending, 1);
    cluster.configure("max_worker_processes = 8");
    cluster.stop("fast");
    cluster.start();
    settle(&mut cluster.connect());
}

#[test]
fn an_engine_that_is_missing_delays_and_a_model_that_is_missing_says_so() {
    let (cluster, mut client) = with_corpus(3);
    client
        .batch_execute("SELECT socle.drop_model('minilm', force => true); UPDATE article SET body = 'without a model' WHERE id = 1")
        .unwrap();
    let reason = wait_for_state(&mut client, "broken");
    assert!(reason.contains("model \"minilm\" does not exist"), "{reason}");
    client.batch_execute("SELECT socle.register_model('minilm', 'bge-small-en-v1.5')").unwrap();
    let refused = client.batch_execute("SELECT socle.resume_corpus('handbook')");
    assert_eq!(crate::sqlstate(refused), "55000", "a model of another digest is another model");
    client.batch_execute("SELECT socle.drop_model('minilm', true); SELECT socle.register_model('minilm', 'all-minilm-l6-v2'); SELECT socle.resume_corpus('handbook')").unwrap();
    settle(&mut client);
    // The library is missing: the corpus waits, and is filled when the library is back.
    cluster.configure("socle.onnxruntime_library = '/nonexistent/libonnxruntime.so'");
    cluster.reload();
    eventually("the library is missing", || client.execute("SELECT socle.embed('x', 'minilm')", &[]).err().map(drop));
    client.batch_execute("UPDATE article SET body = 'without a library' WHERE id = 2").unwrap();
    eventually("the reason is shown", || {
        let reason: Option<String> = value(&mut client, "SELECT state_reason FROM socle.corpus_status");
        reason.filter(|reason| !reason.is_empty())
    });
    let failed: i64 = value(&mut client, "SELECT count(*) FROM socle.job_failure");
    assert_eq!(failed, 0, "it is no document's fault: {}", status(&mut client));
    cluster.configure("socle.onnxruntime_library = '$libdir/socle/libonnxruntime.so'");
    cluster.reload();
    settle(&mut client);
    eventually("the reason is gone", || {
        value::<Option<String>>(&mut client, "SELECT state_reason FROM socle.corpus_status").is_none().then_some(())
    });
}

#[test]
fn a_database_with_work_can_be_dropped() {
    let cluster = Cluster::with_models("");
    let mut admin = cluster.connect_to("template1");
    eventually("it is made", || admin.batch_execute("CREATE DATABASE doomed TEMPLATE postgres").ok());
    let mut doomed = cluster.connect_to("doomed");
    doomed
        .batch_execute(
            "CREATE TABLE article (id int PRIMARY KEY, body text);
             INSERT INTO article SELECT i, 'body ' || i FROM generate_series(1, 3000) i;
             SELECT socle.create_corpus('handbook', 'article', ARRAY['body'], model => 'minilm')",
        )
        .unwrap();
    eventually("a worker is at it", || {
        (doomed.query_one("SELECT count(*) FROM handbook_chunk", &[]).unwrap().get::<_, i64>(0) > 0).then_some(())
    });
    drop(doomed);
    admin.batch_execute("SET statement_timeout = '30s'").unwrap();
    admin.batch_execute("DROP DATABASE doomed WITH (FORCE)").unwrap();
    std::thread::sleep(Duration::from_secs(1));
    assert!(!cluster.log().contains("terminated by signal"));
    let lines = cluster.log().lines().filter(|line| line.contains("doomed") && line.contains("FATAL")).count();
    assert!(lines < 10, "no storm of workers without a database");
}

#[test]
fn with_preloading_work_is_resumed_by_itself_after_a_start_and_after_promotion() {
    let (cluster, mut client) = with_corpus(3);
    client.batch_execute("SELECT socle.pause_corpus('handbook'); UPDATE article SET body = 'while paused'").unwrap();
    client.batch_execute("UPDATE socle.corpus SET state = 'active'").unwrap();
    client.batch_execute("CREATE DATABASE other").unwrap();
    drop(client);
    cluster.configure("shared_preload_libraries = 'socle'");
    cluster.stop("fast");
    cluster.start();
    let mut client = cluster.connect();
    let done = |client: &mut Client| {
        eventually("the changes are worked on", || {
            (value::<i64>(client, "SELECT count(*) FROM handbook_change") == 0).then_some(())
        });
    };
    done(&mut client);
    let standby = Cluster::standby_of(&cluster);
    standby.start();
    let mut reader = standby.wait_for_connection();
    let chunks: i64 = value(&mut reader, "SELECT count(*) FROM handbook_chunk");
    assert_eq!(chunks, 3);
    assert_eq!(crate::sqlstate(reader.batch_execute("SELECT socle.wait_for_corpus('handbook')")), "55000");
    client.batch_execute("SELECT pg_create_restore_point('x')").unwrap();
    standby.promote();
    eventually("it is promoted", || reader.batch_execute("UPDATE article SET body = 'after promotion'").ok());
    settle(&mut reader);
}

#[test]
fn databases_share_few_workers() {
    let (cluster, mut client) = with_corpus(3);
    client.batch_execute("ALTER SYSTEM SET socle.sync_workers = 1").unwrap();
    client.batch_execute("SELECT pg_reload_conf()").unwrap();
    drop(client);
    let mut admin = cluster.connect_to("template1");
    for name in ["second", "third"] {
        eventually("it is made", || {
            // A worker that still looks for work counts as a user of the template.
            let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = 'socle sync'";
            admin.batch_execute(end).unwrap();
            admin.batch_execute(&format!("CREATE DATABASE {name} TEMPLATE postgres")).ok()
        });
    }
    let mut clients: Vec<Client> =
        ["postgres", "second", "third"].iter().map(|name| cluster.connect_to(name)).collect();
    for client in &mut clients {
        client.batch_execute("SELECT socle.resume_corpus('handbook')").unwrap();
        client.batch_execute(&FILL.replace("2999", "1299")).unwrap();
    }
    for client in &mut clients {
        settle(client);
    }
}

/// A file system of its own, small enough to be filled. Only root can make one.
struct SmallDisk(std::path::PathBuf);

impl SmallDisk {
    fn new(cluster: &Cluster, megabytes: u32) -> Option<Self> {
        let path = cluster.directory().join("disk");
        socle_tests::run(socle_tests::command("mkdir").arg(&path));
        let disk = Self(path);
        if disk.mount(&format!("size={megabytes}m")) {
            return Some(disk);
        }
        // Written to standard error itself, because the output of tests that pass is not shown.
        let _ = std::io::Write::write_all(&mut std::io::stderr(), b"SKIPPED: only root can make a disk that is full\n");
        None
    }

    fn mount(&self, options: &str) -> bool {
        let mut mount = std::process::Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", options, "tmpfs"]).arg(&self.0);
        mount.output().is_ok_and(|output| output.status.success())
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = std::process::Command::new("umount").arg("--lazy").arg(&self.0).output();
    }
}

#[test]
fn a_full_disk_delays_and_loses_nothing() {
    let (cluster, mut client) = with_corpus(3);
    let Some(disk) = SmallDisk::new(&cluster, 2) else { return };
    let directory = disk.0.join("space");
    std::fs::create_dir(&directory).unwrap();
    let owner = std::fs::metadata(cluster.data()).unwrap();
    let (user, group) = (std::os::unix::fs::MetadataExt::uid(&owner), std::os::unix::fs::MetadataExt::gid(&owner));
    std::os::unix::fs::chown(&directory, Some(user), Some(group)).unwrap();
    client.batch_execute(&format!("CREATE TABLESPACE tight LOCATION '{}'", directory.display())).unwrap();
    client.batch_execute("ALTER TABLE handbook_chunk SET TABLESPACE tight").unwrap();
    client.batch_execute(FILL).unwrap();
    socle_tests::eventually_within(std::time::Duration::from_secs(120), "the reason is shown", || {
        let reason: Option<String> = value(&mut client, "SELECT state_reason FROM socle.corpus_status");
        reason.filter(|reason| reason.contains("No space left")).map(drop)
    });
    let failed: i64 = value(&mut client, "SELECT count(*) FROM socle.job_failure");
    assert_eq!(failed, 0, "it is no document's fault");
    assert!(disk.mount("remount,size=200m"));
    settle(&mut client);
    let lines = cluster.log().lines().filter(|line| line.contains("socle sync")).count();
    assert!(lines < 10, "no storm in the log: {lines}");
    client.batch_execute("SELECT socle.drop_corpus('handbook'); DROP TABLE article").unwrap();
    client.batch_execute("DROP TABLESPACE tight").unwrap();
}
