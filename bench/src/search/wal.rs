//! What the keyword index adds to the write-ahead log, by the records of its table and indexes without full-page
//! images: in a first fill, and in batches, merging included.

use super::prepare::Documents;
use postgres::Client;
use std::time::Duration;

/// Chunks of a batch, and number of batches.
const BATCH: usize = 200;
const BATCHES: usize = 100;

/// A record that touches several pages counts once. Uses current relfilenodes: a rewrite of the table would hide
/// earlier records.
const BYTES: &str = "SELECT coalesce(sum(bytes), 0)::bigint FROM (
    SELECT max(record_length) - sum(coalesce(block_fpi_length, 0)) AS bytes
    FROM pg_get_wal_block_info($1::text::pg_lsn, pg_current_wal_flush_lsn())
    WHERE relfilenode IN (
        SELECT c.relfilenode FROM pg_class k LEFT JOIN pg_index i ON i.indrelid IN (k.oid, k.reltoastrelid)
        JOIN pg_class c ON c.oid IN (k.oid, k.reltoastrelid, i.indexrelid) WHERE k.oid = 'socle.keyword_segment_part'::regclass)
    GROUP BY start_lsn) AS r";

/// The current position in the log, after a checkpoint.
pub fn mark(client: &mut Client) -> String {
    client.batch_execute("CREATE EXTENSION IF NOT EXISTS pg_walinspect; CHECKPOINT").unwrap();
    client.query_one("SELECT pg_current_wal_flush_lsn()::text", &[]).unwrap().get(0)
}

/// Bytes of the keyword index since then, per chunk. `None` before PostgreSQL 16, which cannot tell.
pub fn since(client: &mut Client, mark: &str, chunks: usize) -> Option<i64> {
    let version: String = client.query_one("SHOW server_version_num", &[]).unwrap().get(0);
    let bytes = |client: &mut Client| client.query_one(BYTES, &[&mark]).unwrap().get::<_, i64>(0);
    (version.as_str() >= "160000").then(|| bytes(client) / chunks as i64)
}

pub fn measure(client: &mut Client, documents: &Documents, filled: Option<i64>) {
    // Existing texts, whose vectors are reused.
    let insert = "INSERT INTO bench_source SELECT $1 + n, body, 0 FROM (
                  SELECT row_number() OVER (ORDER BY id)::int AS n, body FROM bench_source WHERE id >= $2 ORDER BY id LIMIT $3) AS s";
    let from = mark(client);
    for batch in 0..BATCHES {
        let [first, like] = [documents.pairs.len() + batch * BATCH, (batch * 7919) % (documents.pairs.len() - BATCH)];
        client.execute(insert, &[&(first as i32), &(like as i32), &(BATCH as i64)]).unwrap();
        client.execute("SELECT socle.wait_for_corpus('bench')", &[]).unwrap();
    }
    settle(client);
    let batches = since(client, &from, BATCH * BATCHES);
    if let (Some(filled), Some(batches)) = (filled, batches) {
        println!("\n### Write-ahead log of the keyword index\n");
        println!("| | bytes per chunk |\n|---|---|");
        println!("| first fill | {filled} |");
        println!("| {BATCHES} batches of {BATCH} chunks, merging included | {batches} |");
    }
}

/// Waits until segments are no longer merged.
fn settle(client: &mut Client) {
    let mut before = -1;
    loop {
        let now = "SELECT count(*) FROM socle.keyword_segment_part WHERE corpus = 'bench'";
        let now: i64 = client.query_one(now, &[]).unwrap().get(0);
        if now == before {
            return;
        }
        before = now;
        std::thread::sleep(Duration::from_secs(2));
    }
}
