//! Memory cost of a further connection: private memory of sessions that embed against sessions that do not, and growth
//! of the engine.

use postgres::Client;
use std::fs;

const CONNECTIONS: usize = 20;

pub fn measure(model: &str) {
    let engine = |client: &mut Client| -> i64 {
        client.query_one("SELECT memory_bytes FROM socle.engine_status", &[]).unwrap().get(0)
    };
    let mut observer = crate::connect();
    let embed = "SELECT socle.embed('a text of some words', $1)::text, socle.embed_query('a query', $1)::text";
    observer.query_one(embed, &[&model]).unwrap();
    let before = engine(&mut observer);
    // The same work for Postgres: a table read through SPI, a vector printed.
    let plain = sessions(|client| {
        client.query_one("SELECT name, '[1,2,3]'::vector::text FROM socle.model WHERE name = $1", &[&model]).unwrap();
    });
    let embedding = sessions(|client| {
        client.query_one(embed, &[&model]).unwrap();
    });
    let after = engine(&mut observer);
    let mean =
        |sessions: &[(Client, u64)]| sessions.iter().map(|(_, bytes)| *bytes).sum::<u64>() / sessions.len() as u64;
    let (plain, embedding) = (mean(&plain), mean(&embedding));
    let grown = (after - before).max(0) / CONNECTIONS as i64;
    println!("\n### Memory of a further connection, mean of {CONNECTIONS}\n");
    println!("| | kB |");
    println!("|---|---|");
    println!("| private memory of a session that reads a table and prints a vector | {} |", plain >> 10);
    println!("| private memory of a session that embeds | {} |", embedding >> 10);
    println!("| growth of the engine for each connection | {} |", grown >> 10);
    println!(
        "| **added by embedding, both together** | **{}** |",
        (embedding.saturating_sub(plain) + grown as u64) >> 10
    );
}

/// Open sessions after some work, with the private memory of each in bytes.
fn sessions(work: impl Fn(&mut Client)) -> Vec<(Client, u64)> {
    (0..CONNECTIONS)
        .map(|_| {
            let mut client = crate::connect();
            work(&mut client);
            let pid: i32 = client.query_one("SELECT pg_backend_pid()", &[]).unwrap().get(0);
            let rollup = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap();
            let private = rollup.lines().filter(|line| line.starts_with("Private_"));
            let kilobytes: u64 = private.filter_map(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok()).sum();
            (client, kilobytes << 10)
        })
        .collect()
}
