//! The process of the generator: started when it is wanted, ended when it is idle, restarted when it dies, and no matter of
//! the engine.

use super::{FILE, cluster, generate, set, status, wait_for_requests};
use crate::embed;
use postgres::Client;
use socle_tests::{Cluster, ServerCopy, error_of, eventually, is_running, signal};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

/// A text that takes long enough to be met by a signal.
const LONG: &str = "SELECT socle.generate('Tell me story ' || i, max_tokens => 500, temperature => 1) FROM generate_series(1, 1000) AS i";

#[test]
fn it_starts_with_the_first_use_and_ends_when_it_is_idle() {
    let cluster = cluster("");
    cluster.stop("fast");
    cluster.start();
    let mut client = cluster.connect();
    assert_eq!(embed(&mut client, "the engine runs alone").unwrap(), 384);
    assert_eq!(status::<String>(&mut client, "state"), "stopped");
    assert_eq!(status::<Option<i32>>(&mut client, "pid"), None);
    assert_eq!(cluster.generator_pid(), None, "looking does not start it");
    generate(&mut client, "Hi").unwrap();
    let first = cluster.generator_pid().unwrap();
    assert_eq!(status::<String>(&mut client, "state"), "running");
    assert_eq!(status::<i32>(&mut client, "pid").cast_unsigned(), first);
    assert!(status::<f64>(&mut client, "first_token_p50_ms") > 0.0);
    assert!(status::<String>(&mut client, "network").contains("seccomp"));

    set(&cluster, "socle.generator_idle_timeout", "1s");
    generate(&mut client, "Hi").unwrap();
    let second = cluster.generator_pid().unwrap();
    assert_ne!(first, second, "it has the new setting");
    eventually("it has ended", || (!is_running(second)).then_some(()));
    std::thread::sleep(std::time::Duration::from_secs(2));
    assert_eq!(cluster.generator_pid(), None, "it is left alone");
    assert_eq!(status::<String>(&mut client, "state"), "stopped");
    assert_eq!(status::<i32>(&mut client, "queued_count"), 0);
    generate(&mut client, "it is wanted again").unwrap();
    assert_eq!(status::<i32>(&mut client, "restart_count"), 0, "ends of idle ones are no restarts");
    let engine = cluster.engine_pid();
    assert_eq!(embed(&mut client, "the engine has gone on").unwrap(), 384);
    assert_eq!(cluster.engine_pid(), engine);
}

#[test]
fn when_it_is_killed_sessions_live_and_the_engine_knows_nothing_of_it() {
    let cluster = cluster("");
    let mut client = cluster.connect();
    embed(&mut client, "warm").unwrap();
    generate(&mut client, "warm").unwrap();
    let engine = cluster.engine_pid().unwrap();
    for round in 0..3 {
        let mut writer = cluster.connect();
        std::thread::scope(|scope| {
            let statement = scope.spawn(move || {
                let result = writer.simple_query(LONG);
                (result.map(drop).map_err(|error| error_of(&error)), writer)
            });
            wait_for_requests(&mut client, |count| count > 0);
            let generator = cluster.generator_pid().unwrap();
            signal(generator, libc::SIGKILL);
            assert_eq!(embed(&mut client, "meanwhile").unwrap(), 384);
            // A text of which nothing has come is begun again; that statement has to be ended.
            eventually("there is another", || cluster.generator_pid().filter(|pid| *pid != generator));
            if !statement.is_finished() {
                client
                    .execute("SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE query = $1", &[&LONG])
                    .unwrap();
            }
            let (result, mut writer) = statement.join().unwrap();
            let (code, message, _, hint) = result.unwrap_err();
            assert!(
                code == "57014" || (code == "38000" && message.contains("crashed") && !hint.is_empty()),
                "{code} {message}"
            );
            generate(&mut writer, "the session lives").unwrap();
        });
        assert_eq!(status::<i32>(&mut client, "restart_count"), round + 1);
    }
    assert_eq!(cluster.engine_pid(), Some(engine));
    let log = cluster.log();
    assert!(log.contains("socle supervisor: the generator was ended by signal 9"), "{log}");
    assert!(!log.contains("server process"), "no process of Postgres ended abnormally");
}

#[test]
fn the_end_of_the_engine_ends_no_text_and_one_that_hangs_is_replaced() {
    let cluster = cluster("");
    let mut client = cluster.connect();
    embed(&mut client, "warm").unwrap();
    generate(&mut client, "warm").unwrap();
    let generator = cluster.generator_pid().unwrap();
    std::thread::scope(|scope| {
        let statement = scope.spawn(|| {
            let sql = "SELECT count(socle.generate('Story ' || i, max_tokens => 30)) FROM generate_series(1, 10) AS i";
            cluster.connect().query_one(sql, &[]).map(|row| row.get::<_, i64>(0))
        });
        wait_for_requests(&mut client, |count| count > 0);
        signal(cluster.engine_pid().unwrap(), libc::SIGKILL);
        assert_eq!(statement.join().unwrap().unwrap(), 10);
    });
    assert_eq!(cluster.generator_pid(), Some(generator));
    assert_eq!(embed(&mut client, "another engine").unwrap(), 384);

    let engine = cluster.engine_pid();
    signal(generator, libc::SIGSTOP);
    let mut writer = cluster.connect();
    std::thread::scope(|scope| {
        let statement = scope.spawn(move || generate(&mut writer, "it hangs"));
        for _ in 0..5 {
            assert_eq!(embed(&mut client, "nobody hangs with it").unwrap(), 384);
        }
        statement.join().unwrap().unwrap();
    });
    assert!(!is_running(generator));
    assert_eq!(cluster.engine_pid(), engine);
    assert!(cluster.log().contains("the generator did not answer for 10 s and was killed"));
}

#[test]
fn it_ends_with_its_server() {
    let cluster = cluster("");
    let mut client = cluster.connect();
    generate(&mut client, "Hi").unwrap();
    let generator = cluster.generator_pid().unwrap();
    cluster.stop("fast");
    assert!(!is_running(generator));
    cluster.start();
    generate(&mut cluster.connect(), "Hi").unwrap();
    let generator = cluster.generator_pid().unwrap();
    cluster.kill_postmaster();
    eventually("it has ended", || (!is_running(generator)).then_some(()));
    cluster.start();
    generate(&mut cluster.wait_for_connection(), "Hi").unwrap();
}

#[test]
fn no_process_of_postgres_loads_llama() {
    let cluster = cluster("shared_preload_libraries = 'socle'");
    let mut client = cluster.connect();
    generate(&mut client, "Hi").unwrap();
    let backend: i32 = client.query_one("SELECT pg_backend_pid()", &[]).unwrap().get(0);
    let loads = |pid: u32| {
        let maps = fs::read_to_string(format!("/proc/{pid}/maps")).unwrap();
        maps.contains("libllama") || maps.contains("libggml") || maps.contains(".gguf")
    };
    assert!(loads(cluster.generator_pid().unwrap()));
    for process in [backend.cast_unsigned(), cluster.postmaster_pid(), cluster.supervisor_pid().unwrap()] {
        assert!(!loads(process));
    }
}

/// The executable of the generator of a copied server.
fn executable(server: &ServerCopy) -> PathBuf {
    server.engine.with_file_name("socle-generator")
}

/// A cluster that runs on a copied server, with a generator in its registry.
fn cluster_on(server: &ServerCopy) -> (Cluster, Client) {
    let cluster = cluster("");
    cluster.stop("fast");
    cluster.start_on(&server.postgres);
    let client = cluster.connect();
    (cluster, client)
}

#[test]
fn without_its_executable_the_error_names_it_until_it_is_there() {
    let Some(server) = ServerCopy::new() else { return };
    let (cluster, mut client) = cluster_on(&server);
    let (program, away) = (executable(&server), server.engine.with_file_name("away"));
    fs::rename(&program, &away).unwrap();
    let (code, message, detail, hint) = error_of(&generate(&mut client, "Hi").unwrap_err());
    assert_eq!((code.as_str(), message.as_str()), ("57P03", "the socle generator is not available"));
    assert!(detail.contains(&*program.to_string_lossy()) && hint.contains("server log"), "{detail} {hint}");
    assert_eq!(embed(&mut client, "the engine needs none").unwrap(), 384);
    assert_eq!(status::<String>(&mut client, "state"), "unavailable");
    assert_eq!(status::<String>(&mut client, "state_reason"), detail);
    // Nobody wants it, so nobody tries again.
    let engine = cluster.engine_pid();
    let attempts = |cluster: &Cluster| cluster.log().matches("the generator does not start").count();
    assert_eq!(attempts(&cluster), 1);
    fs::rename(&away, &program).unwrap();
    eventually("it is found", || generate(&mut client, "Hi").ok());
    assert_eq!(status::<Option<String>>(&mut client, "state_reason"), None);
    assert_eq!(cluster.engine_pid(), engine);
}

#[test]
fn a_generator_of_another_version_or_that_does_not_start_is_an_error_with_the_reason() {
    let Some(server) = ServerCopy::new() else { return };
    let program = executable(&server);
    let real = server.engine.with_file_name("real");
    fs::rename(&program, &real).unwrap();
    let replace = |script: &str| {
        fs::write(&program, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    };
    let other = format!("SOCLE_VERSION=9.9.9 exec \"{}\" \"$1\"", real.display());
    let version = env!("CARGO_PKG_VERSION");
    let cases = [
        ("exit 7", "the generator exited with code 7".to_string()),
        ("kill -9 $$", "the generator was ended by signal 9".to_string()),
        (other.as_str(), format!("the generator is not of version {version}, as the library is")),
    ];
    for (script, reason) in cases {
        replace(script);
        let (_cluster, mut client) = cluster_on(&server);
        let (code, _, detail, _) = error_of(&generate(&mut client, "Hi").unwrap_err());
        assert_eq!((code.as_str(), detail), ("57P03", reason));
        let register = client.execute("SELECT socle.register_generator('x', $1)", &[&FILE]);
        assert_eq!(error_of(&register.unwrap_err()).0, "57P03");
        assert_eq!(embed(&mut client, "the engine goes on").unwrap(), 384);
    }
}
