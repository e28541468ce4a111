//! The engine dies, hangs, or is killed by a request: no session is ever lost, and only the statement at fault fails.

use crate::embed;
use postgres::Client;
use socle_tests::{Cluster, Raise, error_of, eventually, is_running, signal};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

/// A session opened before everything else, which has to exist in the end.
struct Witness(Client, i32);

impl Witness {
    fn new(cluster: &Cluster) -> Self {
        let mut client = cluster.connect();
        let pid = client.query_one("SELECT pg_backend_pid()", &[]).unwrap().get(0);
        Self(client, pid)
    }

    fn testify(&mut self) {
        let pid: i32 = self.0.query_one("SELECT pg_backend_pid()", &[]).unwrap().get(0);
        assert_eq!(pid, self.1, "the session was lost");
    }
}

#[test]
fn thirty_kills_under_load_lose_no_session_and_no_statement_wrongly() {
    let cluster = Cluster::with_models("");
    let mut witness = Witness::new(&cluster);
    let expected = vector(&mut witness.0, "the same text every time");
    let done = AtomicBool::new(false);
    let (answered, failed) = (AtomicUsize::new(0), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        let _end = Raise(&done);
        for worker in 0..4 {
            let (cluster, done, answered, failed, expected) = (&cluster, &done, &answered, &failed, &expected);
            scope.spawn(move || {
                let mut client = cluster.connect();
                while !done.load(Ordering::Relaxed) {
                    let result = match worker {
                        0 => client.query_one("SELECT array_length(socle.embed(array_fill('some text'::text, ARRAY[200]), 'minilm'), 1)", &[]).map(|row| assert_eq!(row.get::<_, i32>(0), 200)),
                        1 => client.query("SELECT * FROM socle.rerank('query', array_fill('document'::text, ARRAY[5]), 'reranker')", &[]).map(|rows| assert_eq!(rows.len(), 5)),
                        _ => try_vector(&mut client, "the same text every time").map(|vector| assert_eq!(&vector, expected)),
                    };
                    match result {
                        Ok(()) => answered.fetch_add(1, Ordering::Relaxed),
                        // Killed again while the request ran alone: the same as a request that kills the engine.
                        Err(error) if error_of(&error).0 == "38000" => failed.fetch_add(1, Ordering::Relaxed),
                        Err(error) => panic!("{error:?}"),
                    };
                }
            });
        }
        let signals = [libc::SIGKILL; 30].into_iter().chain([libc::SIGILL, libc::SIGABRT].repeat(3));
        let mut last = 0;
        for (round, killer) in signals.enumerate() {
            let engine = eventually("a new engine runs", || running_engine(&mut witness.0).filter(|pid| *pid != last));
            std::thread::sleep(Duration::from_millis(round as u64 * 37 % 150));
            signal(engine, killer);
            last = engine;
        }
    });
    witness.testify();
    assert_eq!(embed(&mut witness.0, "after").unwrap(), 384);
    assert!(answered.load(Ordering::Relaxed) > 0, "{failed:?} statements failed");
    assert!(!cluster.log().contains("server process"), "no process of Postgres ended abnormally");
}

/// The engine, once it is ready: one that is killed before counts as one that does not start.
fn running_engine(client: &mut Client) -> Option<u32> {
    let row = client.query_one("SELECT state, pid FROM socle.engine_status", &[]).unwrap();
    (row.get::<_, &str>(0) == "running").then(|| row.get::<_, i32>(1).cast_unsigned())
}

fn try_vector(client: &mut Client, text: &str) -> Result<Vec<f32>, postgres::Error> {
    client.query_one("SELECT socle.embed($1, 'minilm')::real[]", &[&text]).map(|row| row.get(0))
}

fn vector(client: &mut Client, text: &str) -> Vec<f32> {
    try_vector(client, text).unwrap()
}

#[test]
fn a_statement_under_way_survives_the_death_of_the_engine() {
    let cluster = Cluster::with_models("");
    let mut client = cluster.connect();
    embed(&mut client, "warm").unwrap();
    let before = cluster.engine_pid().unwrap();
    std::thread::scope(|scope| {
        let statement = scope.spawn(|| {
            let sql = "SELECT array_length(socle.embed(array_agg('text number ' || i), 'minilm'), 1) FROM generate_series(1, 3000) i";
            cluster.connect().query_one(sql, &[]).map(|row| row.get::<_, i32>(0))
        });
        eventually("the statement is under way", || {
            let row = client.query_one("SELECT bulk_queue FROM socle.engine_status", &[]).unwrap();
            (row.get::<_, i32>(0) > 0).then_some(())
        });
        signal(before, libc::SIGKILL);
        assert_eq!(statement.join().unwrap().unwrap(), 3000);
    });
    assert_ne!(cluster.engine_pid(), Some(before));
    let restarts: i32 = client.query_one("SELECT restart_count FROM socle.engine_status", &[]).unwrap().get(0);
    assert_eq!(restarts, 1);
}

#[test]
fn a_request_that_kills_fails_alone_while_innocent_ones_are_answered() {
    let cluster = Cluster::with_models("");
    crate::model::register_endless(&cluster);
    let mut witness = Witness::new(&cluster);
    embed(&mut witness.0, "warm").unwrap();
    let done = AtomicBool::new(false);
    let answered = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        let _end = Raise(&done);
        let queue = |witness: &mut Witness| {
            let row = witness.0.query_one("SELECT bulk_queue FROM socle.engine_status", &[]).unwrap();
            row.get::<_, Option<i32>>(0).unwrap_or_default()
        };
        // The effect of a hostile model, caused from outside: whenever the slow text runs, the engine is killed.
        let guilty = scope.spawn(|| {
            let mut client = cluster.connect();
            client.execute("SELECT socle.embed('slow', 'slow')", &[]).unwrap_err()
        });
        eventually("it is there", || (queue(&mut witness) == 1).then_some(()));
        for _ in 0..3 {
            scope.spawn(|| {
                let mut client = cluster.connect();
                while !done.load(Ordering::Relaxed) {
                    embed(&mut client, "innocent").unwrap();
                    answered.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        let first = cluster.engine_pid().unwrap();
        signal(first, libc::SIGKILL);
        let second = eventually("there is a new engine", || cluster.engine_pid().filter(|pid| *pid != first));
        // The other requests run before the request that kills; then that request runs alone, and the others wait.
        let mut before = usize::MAX;
        eventually("the guilty one runs alone", || {
            std::thread::sleep(Duration::from_millis(1500));
            let now = answered.load(Ordering::Relaxed);
            let stands = now == std::mem::replace(&mut before, now);
            (stands && queue(&mut witness) == 4).then_some(())
        });
        signal(second, libc::SIGKILL);
        let (sqlstate, message, _, hint) = error_of(&guilty.join().unwrap());
        assert_eq!((sqlstate.as_str(), message.as_str()), ("38000", "the socle engine crashed on this request"));
        assert!(!hint.is_empty());
        let before = answered.load(Ordering::Relaxed);
        eventually("the innocent go on", || (answered.load(Ordering::Relaxed) > before + 10).then_some(()));
    });
    witness.testify();
}

#[test]
fn an_engine_that_hangs_is_replaced_and_nobody_hangs_with_it() {
    let cluster = Cluster::with_models("");
    let mut client = cluster.connect();
    embed(&mut client, "warm").unwrap();
    let hung = cluster.engine_pid().unwrap();
    signal(hung, libc::SIGSTOP);
    client.batch_execute("SET statement_timeout = '300ms'").unwrap();
    assert_eq!(error_of(&embed(&mut client, "x").unwrap_err()).0, "57014", "a waiting statement can be ended");
    client.batch_execute("SET statement_timeout = '60s'").unwrap();
    assert_eq!(embed(&mut client, "y").unwrap(), 384, "answered by the next engine");
    assert!(!is_running(hung));
    assert!(cluster.log().contains("did not answer for 10 s"));
}

#[test]
fn an_idle_session_notices_nothing() {
    let cluster = Cluster::with_models("");
    let mut client = cluster.connect();
    for _ in 0..5 {
        embed(&mut client, "before").unwrap();
        let engine = cluster.engine_pid().unwrap();
        signal(engine, libc::SIGKILL);
        eventually("it is gone", || (!is_running(engine)).then_some(()));
    }
    embed(&mut client, "after").unwrap();
}
