//! Engine settings take effect by reload, and no statement suffers from it.

use crate::embed;
use socle_tests::{Cluster, Raise, eventually};
use std::sync::atomic::{AtomicBool, Ordering};

#[test]
fn a_reload_replaces_the_engine_without_an_error() {
    let cluster = Cluster::with_models("");
    let mut client = cluster.connect();
    embed(&mut client, "warm").unwrap();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let _end = Raise(&done);
        for _ in 0..3 {
            scope.spawn(|| {
                let mut client = cluster.connect();
                while !done.load(Ordering::Relaxed) {
                    let sql = "SELECT socle.embed(array_fill('some text'::text, ARRAY[100]), 'minilm')";
                    client.simple_query(sql).unwrap();
                }
            });
        }
        for threads in 1..=4 {
            client.batch_execute(&format!("ALTER SYSTEM SET socle.engine_threads = {threads}")).unwrap();
            cluster.reload();
            eventually("the setting is in force", || {
                let row = client.query_one("SELECT thread_count FROM socle.engine_status", &[]).unwrap();
                (row.get::<_, Option<i32>>(0) == Some(threads)).then_some(())
            });
        }
    });
    let engine = cluster.engine_pid();
    client.batch_execute("ALTER SYSTEM SET work_mem = '8MB'").unwrap();
    cluster.reload();
    embed(&mut client, "after").unwrap();
    assert_eq!(cluster.engine_pid(), engine, "other settings do not touch it");
}
