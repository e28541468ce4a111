//! The engine starts by itself, once for the whole cluster, with and without preloading.

use crate::{embed, sqlstate};
use socle_tests::{Cluster, PATIENCE, ServerCopy, error_of, eventually};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::sync::Barrier;
use std::time::{Duration, Instant};

#[test]
fn the_first_call_starts_it_without_preloading() {
    let cluster = Cluster::with_models("");
    assert_eq!(cluster.engine_pid(), None);
    assert_eq!(cluster.supervisor_pid(), None);
    let mut client = cluster.connect();
    let state = |client: &mut postgres::Client| -> String {
        client.query_one("SELECT state FROM socle.engine_status", &[]).unwrap().get(0)
    };
    assert_eq!(state(&mut client), "stopped");
    assert_eq!(cluster.engine_pid(), None, "looking does not start it");
    assert_eq!(embed(&mut client, "bonjour").unwrap(), 384);
    assert_eq!(state(&mut client), "running");
    let pid: i32 = client.query_one("SELECT pid FROM socle.engine_status", &[]).unwrap().get(0);
    assert_eq!(cluster.engine_pid(), Some(pid.cast_unsigned()));
}

#[test]
fn with_preloading_it_is_there_before_the_first_call() {
    let cluster = Cluster::with_models("shared_preload_libraries = 'socle'");
    let engine = cluster.wait_for_engine();
    let mut client = cluster.connect();
    embed(&mut client, "bonjour").unwrap();
    assert_eq!(cluster.engine_pid(), Some(engine));
}

#[test]
fn one_engine_serves_every_session_and_database() {
    let cluster = Cluster::with_models("");
    let mut first = cluster.connect();
    first.batch_execute("CREATE DATABASE other TEMPLATE template0").unwrap();
    let mut other = cluster.connect_to("other");
    other.batch_execute("CREATE EXTENSION socle CASCADE").unwrap();
    other.execute("SELECT socle.register_model('minilm', 'all-minilm-l6-v2')", &[]).unwrap();
    std::thread::scope(|scope| {
        for _ in 0..10 {
            scope.spawn(|| embed(&mut cluster.connect(), "at the same time").unwrap());
        }
    });
    embed(&mut other, "from elsewhere").unwrap();
    let loaded: i32 = first.query_one("SELECT model_count FROM socle.engine_status", &[]).unwrap().get(0);
    assert_eq!(loaded, 1, "the same files are one model in memory");
    let supervisors: i64 =
        first.query_one("SELECT count(*) FROM pg_stat_activity WHERE backend_type LIKE 'socle%'", &[]).unwrap().get(0);
    assert_eq!(supervisors, 0, "the supervisor takes no database connection");
}

#[test]
fn no_process_of_postgres_ever_loads_onnxruntime() {
    let cluster = Cluster::with_models("shared_preload_libraries = 'socle'");
    let mut client = cluster.connect();
    embed(&mut client, "bonjour").unwrap();
    let backend: i32 = client.query_one("SELECT pg_backend_pid()", &[]).unwrap().get(0);
    let loads = |pid: u32| std::fs::read_to_string(format!("/proc/{pid}/maps")).unwrap().contains("libonnxruntime");
    assert!(loads(cluster.engine_pid().unwrap()));
    assert!(!loads(backend.cast_unsigned()));
    assert!(!loads(cluster.postmaster_pid()));
    assert!(!loads(cluster.supervisor_pid().unwrap()));
}

#[test]
fn each_process_of_postgres_has_one_thread_only() {
    let cluster = Cluster::with_models("shared_preload_libraries = 'socle'");
    let mut client = cluster.connect();
    for statement in [
        "CREATE TABLE article (id int PRIMARY KEY, body text)",
        "INSERT INTO article SELECT i, 'body ' || i FROM generate_series(1, 50) i",
        "SELECT socle.create_corpus('handbook', 'article', ARRAY['body'], model => 'minilm')",
        "SELECT socle.wait_for_corpus('handbook', '2 minutes')",
        "INSERT INTO article VALUES (51, 'another body')",
        "SELECT socle.wait_for_corpus('handbook', '2 minutes')",
        "SELECT * FROM socle.search('handbook', 'another body')",
        "SELECT socle.embed('one text', 'minilm'), socle.chunk('a text to cut', model => 'minilm')",
    ] {
        client.batch_execute(statement).unwrap();
    }
    let worker: i32 = client.query_one("SELECT min(pid) FROM socle.worker_status", &[]).unwrap().get(0);
    let backend: i32 = client.query_one("SELECT pg_backend_pid()", &[]).unwrap().get(0);
    let postmaster = cluster.postmaster_pid();
    let children = std::fs::read_to_string(format!("/proc/{postmaster}/task/{postmaster}/children")).unwrap();
    let mut processes: Vec<u32> = children.split_whitespace().map(|pid| pid.parse().unwrap()).collect();
    processes.push(postmaster);
    for known in [worker.cast_unsigned(), backend.cast_unsigned(), cluster.supervisor_pid().unwrap()] {
        assert!(processes.contains(&known), "{known} {processes:?}");
    }
    // A process may have ended since.
    let threads = |pid: u32| std::fs::read_dir(format!("/proc/{pid}/task")).map_or(1, Iterator::count);
    let several: Vec<u32> = processes.into_iter().filter(|pid| threads(*pid) != 1).collect();
    assert_eq!(several, Vec::<u32>::new());
    // The engine has threads, so they are counted.
    assert!(threads(cluster.engine_pid().unwrap()) > 1);
}

#[test]
fn without_a_worker_slot_the_error_says_which_setting_to_raise() {
    let cluster = Cluster::with_models("max_worker_processes = 0\nmax_logical_replication_workers = 0");
    let mut client = cluster.connect();
    let (sqlstate, _, _, hint) = error_of(&embed(&mut client, "x").unwrap_err());
    assert_eq!(sqlstate, "53400");
    assert!(hint.contains("max_worker_processes"), "{hint}");
    client.execute("SELECT 1", &[]).unwrap();
}

#[test]
fn many_first_calls_at_once_take_one_worker_slot() {
    let cluster = Cluster::with_models("max_worker_processes = 4");
    let start = Barrier::new(30);
    std::thread::scope(|scope| {
        for _ in 0..30 {
            scope.spawn(|| {
                let mut client = cluster.connect();
                client.batch_execute("LOAD 'socle'").unwrap();
                start.wait();
                assert_eq!(embed(&mut client, "at the same time").unwrap(), 384);
            });
        }
    });
}

#[test]
fn without_the_executable_of_the_engine_the_error_names_it_until_it_is_there() {
    let Some(server) = ServerCopy::new() else { return };
    let cluster = Cluster::with_models("");
    cluster.stop("fast");
    let away = server.engine.with_extension("away");
    fs::rename(&server.engine, &away).unwrap();
    cluster.start_on(&server.postgres);
    let mut client = cluster.connect();
    let begun = Instant::now();
    let (sqlstate, message, detail, _) = error_of(&embed(&mut client, "x").unwrap_err());
    assert_eq!((sqlstate.as_str(), message.as_str()), ("57P03", "the socle engine is not available"));
    assert!(detail.contains(&*server.engine.to_string_lossy()), "{detail}");
    assert!(begun.elapsed() < PATIENCE);
    fs::rename(&away, &server.engine).unwrap();
    eventually("the engine is found", || embed(&mut client, "x").ok());
}

/// Replaces the engine by a shell script, which finds it as `$0.real`. Each start leaves a line in `starts` in the data
/// directory.
pub fn replace_engine(server: &ServerCopy, script: &str) {
    let real = server.engine.with_extension("real");
    if !real.exists() {
        fs::rename(&server.engine, real).unwrap();
    }
    fs::write(&server.engine, format!("#!/bin/sh\necho >>\"$1/starts\"\n{script}\n")).unwrap();
    fs::set_permissions(&server.engine, fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn an_engine_that_ends_before_it_is_ready_is_not_started_over_and_over() {
    let Some(server) = ServerCopy::new() else { return };
    let cases = [("exit 0", "the engine exited with code 0"), ("kill -9 $$", "the engine was ended by signal 9")];
    for (script, reason) in cases {
        replace_engine(&server, script);
        let cluster = Cluster::with_models("");
        cluster.stop("fast");
        cluster.start_on(&server.postgres);
        let (sqlstate, _, detail, _) = error_of(&embed(&mut cluster.connect(), "x").unwrap_err());
        assert_eq!((sqlstate.as_str(), detail.as_str()), ("57P03", reason));
        std::thread::sleep(Duration::from_secs(1));
        let starts = fs::read_to_string(cluster.data().join("starts")).unwrap().lines().count();
        assert!(starts < 5, "{script}: {starts} starts");
    }
    // An engine that was killed once is not reported as an engine that does not start.
    replace_engine(&server, "[ -e \"$1/killed\" ] || { : >\"$1/killed\"; kill -9 $$; }; exec \"$0.real\" \"$1\"");
    let cluster = Cluster::with_models("");
    cluster.stop("fast");
    cluster.start_on(&server.postgres);
    assert_eq!(embed(&mut cluster.connect(), "x").unwrap(), 384);
    assert!(cluster.data().join("killed").exists());
}

#[test]
fn without_onnxruntime_the_error_says_so_until_it_is_there() {
    let cluster = Cluster::with_models("");
    let mut client = cluster.connect();
    client.batch_execute("LOAD 'socle'").unwrap();
    client.batch_execute("ALTER SYSTEM SET socle.onnxruntime_library = '/nowhere/libonnxruntime.so'").unwrap();
    cluster.reload();
    let error = eventually("the setting is in force", || embed(&mut client, "x").err());
    let (sqlstate, message, detail, _) = error_of(&error);
    assert_eq!((sqlstate.as_str(), message.as_str()), ("58P01", "ONNX Runtime is not installed"));
    assert!(detail.contains("/nowhere/libonnxruntime.so"));
    let chunks: i64 = client.query_one("SELECT count(*) FROM socle.chunk('One. Two.', 5)", &[]).unwrap().get(0);
    assert_eq!(chunks, 2, "what needs no model still works");
    client.batch_execute("ALTER SYSTEM RESET socle.onnxruntime_library").unwrap();
    cluster.reload();
    eventually("the setting is in force", || embed(&mut client, "x").ok());
}

#[test]
fn a_database_in_another_encoding_is_refused() {
    let cluster = Cluster::with_models("");
    let mut client = cluster.connect();
    for encoding in ["LATIN1", "SQL_ASCII"] {
        client.batch_execute(&format!("CREATE DATABASE d{encoding} ENCODING '{encoding}' TEMPLATE template0")).unwrap();
        let mut other = cluster.connect_to(&format!("d{}", encoding.to_lowercase()));
        assert_eq!(sqlstate(other.batch_execute("CREATE EXTENSION socle CASCADE")), "0A000");
    }
}
