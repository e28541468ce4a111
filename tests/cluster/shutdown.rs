//! Stopping, crashing and starting again, idle and busy: the engine always ends with its server, and always comes back.

use crate::embed;
use socle_tests::{Cluster, PATIENCE, eventually, is_running, signal};
use std::time::Instant;

/// Starts a statement that would never end and returns once the engine works on it.
fn busy(cluster: &Cluster) -> std::thread::JoinHandle<()> {
    crate::model::register_endless(cluster);
    let mut observer = cluster.connect();
    embed(&mut observer, "warm").unwrap();
    let configuration = cluster.configuration();
    let statement = std::thread::spawn(move || {
        let mut client = configuration.connect(postgres::NoTls).unwrap();
        client.simple_query("SELECT socle.embed(array_fill('slow'::text, ARRAY[100]), 'slow')").unwrap_err();
    });
    eventually("the engine is busy", || {
        let row = observer.query_one("SELECT bulk_queue FROM socle.engine_status", &[]).unwrap();
        (row.get::<_, i32>(0) > 0).then_some(())
    });
    statement
}

#[test]
fn a_fast_or_immediate_stop_takes_the_engine_along() {
    for (mode, preload) in [("fast", ""), ("immediate", ""), ("fast", "shared_preload_libraries = 'socle'")] {
        let cluster = Cluster::with_models(preload);
        for _ in 0..2 {
            let statement = busy(&cluster);
            let (engine, supervisor) = (cluster.engine_pid().unwrap(), cluster.supervisor_pid().unwrap());
            let begun = Instant::now();
            cluster.stop(mode);
            assert!(begun.elapsed() < PATIENCE, "{mode}");
            statement.join().unwrap();
            assert!(!is_running(supervisor));
            eventually("the engine is gone", || (!is_running(engine)).then_some(()));
            cluster.start();
            cluster.connect().batch_execute("SELECT socle.drop_model('slow')").unwrap();
        }
        assert_eq!(embed(&mut cluster.connect(), "after").unwrap(), 384);
    }
}

#[test]
fn rapid_cycles_leave_nothing_behind() {
    let cluster = Cluster::with_models("shared_preload_libraries = 'socle'");
    for _ in 0..8 {
        cluster.stop("fast");
        cluster.start();
    }
    assert_eq!(embed(&mut cluster.connect(), "after").unwrap(), 384);
    cluster.stop("fast");
    assert_eq!(cluster.engine_pid(), None);
}

#[test]
fn when_the_postmaster_is_killed_everything_goes_and_a_new_one_starts() {
    let cluster = Cluster::with_models("");
    let statement = busy(&cluster);
    let (engine, supervisor) = (cluster.engine_pid().unwrap(), cluster.supervisor_pid().unwrap());
    cluster.kill_postmaster();
    eventually("engine and supervisor are gone", || (!is_running(engine) && !is_running(supervisor)).then_some(()));
    statement.join().unwrap();
    cluster.start();
    assert_eq!(embed(&mut cluster.connect(), "after").unwrap(), 384);
}

#[test]
fn two_crash_restarts_in_a_row_end_in_normal_service() {
    for preload in ["", "shared_preload_libraries = 'socle'"] {
        let cluster = Cluster::with_models(preload);
        for _ in 0..2 {
            let mut client = cluster.wait_for_connection();
            embed(&mut client, "before").unwrap();
            let engine = cluster.engine_pid().unwrap();
            let backend: i32 = client.query_one("SELECT pg_backend_pid()", &[]).unwrap().get(0);
            signal(backend.cast_unsigned(), libc::SIGKILL);
            // The postmaster ends every process and restarts.
            eventually("the old engine is gone", || (!is_running(engine)).then_some(()));
        }
        assert_eq!(embed(&mut cluster.wait_for_connection(), "after").unwrap(), 384);
        assert!(!cluster.log().contains("PANIC"));
    }
}

#[test]
fn a_supervisor_that_is_killed_comes_back_with_the_server() {
    let cluster = Cluster::with_models("");
    embed(&mut cluster.connect(), "before").unwrap();
    let engine = cluster.engine_pid().unwrap();
    signal(cluster.supervisor_pid().unwrap(), libc::SIGKILL);
    eventually("the engine went with it", || (!is_running(engine)).then_some(()));
    assert_eq!(embed(&mut cluster.wait_for_connection(), "after").unwrap(), 384);
}
