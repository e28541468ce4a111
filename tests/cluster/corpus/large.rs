//! One very large document: memory of worker and engine stays within a multiple of its size.

use super::value;
use postgres::Client;
use socle_tests::{Cluster, eventually};

/// Size of the document. 50 MB work just as well and take more than a minute.
const MEGABYTES: u64 = 8;

/// Most kilobytes that a process has ever had in memory; `None` for one that has ended.
fn peak(pid: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().trim_end_matches(" kB").parse().ok()
}

/// The highest peak of the workers: one beside the index worker may have claimed a change.
fn worker_peak(client: &mut Client) -> u64 {
    eventually("a worker is there", || {
        let workers = client.query("SELECT pid FROM socle.worker_status WHERE pid IS NOT NULL", &[]).unwrap();
        workers.iter().filter_map(|row| peak(row.get::<_, i32>(0).cast_unsigned())).max()
    })
}

#[test]
fn a_large_document_is_handled_in_bounded_memory() {
    let cluster = Cluster::with_models("socle.max_input_bytes = 256MB\nsocle.sync_workers = 1\nshared_buffers = 16MB");
    let mut client = cluster.connect();
    client
        .batch_execute(
            "CREATE TABLE big (id int PRIMARY KEY, body text); INSERT INTO big VALUES (1, 'small');
             SELECT socle.create_corpus('big', 'big', ARRAY['body'], model => 'minilm')",
        )
        .unwrap();
    assert!(value::<bool>(&mut client, "SELECT socle.wait_for_corpus('big')"));
    let (worker_before, engine_before) = (worker_peak(&mut client), peak(cluster.wait_for_engine()).unwrap());
    // The same few hundred paragraphs again and again: some embedding, much of everything else.
    let paragraphs = MEGABYTES * 1_000_000 / 74;
    client
        .batch_execute(&format!(
            "UPDATE big SET body = (SELECT string_agg('Paragraph ' || i % 50 || ' says that a server is restored from its backup by a replica.', E'\n\n')
                                    FROM generate_series(1, {paragraphs}) i)"
        ))
        .unwrap();
    let bytes: i32 = value(&mut client, "SELECT octet_length(body) FROM big");
    assert!(u64::from(bytes.unsigned_abs()) > MEGABYTES * 1_000_000, "{bytes}");
    assert!(value::<bool>(&mut client, "SELECT socle.wait_for_corpus('big', '5 min')"));
    let kilobytes = |per_byte: u64| MEGABYTES * 1_000 * per_byte;
    let worker_grown = worker_peak(&mut client).saturating_sub(worker_before);
    let engine_grown = peak(cluster.wait_for_engine()).unwrap().saturating_sub(engine_before);
    assert!(worker_grown < kilobytes(20), "the worker has grown by {worker_grown} kB");
    assert!(engine_grown < kilobytes(6), "the engine has grown by {engine_grown} kB");
    let chunks: i64 = value(&mut client, "SELECT count(*) FROM big_chunk");
    assert!(chunks > 8_000, "{chunks}");
    assert_eq!(client.query("SELECT * FROM socle.verify_corpus('big')", &[]).unwrap().len(), 0);
    // A change at the end of the document.
    let before = value::<i64>(&mut client, "SELECT embedded_count FROM socle.corpus_status");
    client.batch_execute("UPDATE big SET body = body || ' The end.'").unwrap();
    assert!(value::<bool>(&mut client, "SELECT socle.wait_for_corpus('big', '5 min')"));
    let edited = value::<i64>(&mut client, "SELECT embedded_count FROM socle.corpus_status") - before;
    assert_eq!(edited, 1);
}
