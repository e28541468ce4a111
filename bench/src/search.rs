//! Search in a corpus of many chunks: what each mode adds to the embedding of the query, concurrent clients, filters,
//! keywords against `ts_rank` and against bare tantivy, size of the indexes.
//!
//! The texts are real. Vectors are sums of those of real sentences, so that nothing has to be embedded at this size.

mod bare;
mod filter;
mod prepare;
mod wal;
mod words;

use postgres::{Client, Statement};
use prepare::Documents;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// Chunks of the corpus, unless `SOCLE_BENCH_CHUNKS` sets another number. A million takes an hour and 10 GB of disk.
const CHUNKS: usize = 100_000;

/// Queries of each contender.
const QUERIES: usize = 300;

/// Concurrent sessions, and how long each of them searches.
const CLIENTS: usize = 8;
const CLIENT_TIME: Duration = Duration::from_secs(5);

const MODES: [&str; 3] = ["hybrid", "vector", "keyword"];

/// The keyword index alone.
pub fn measure_index(texts: &[String]) {
    bare::measure(&documents(texts));
}

fn documents(texts: &[String]) -> Documents {
    Documents::new(texts, std::env::var("SOCLE_BENCH_CHUNKS").map_or(CHUNKS, |count| count.parse().unwrap()))
}

pub fn measure(model: &str, texts: &[String]) {
    let documents = documents(texts);
    let mut client = crate::connect();
    let filled = prepare::corpus(&mut client, model, &documents);
    latency(&mut client, model, &documents);
    throughput(model, &documents);
    filter::measure(&mut client, model, &documents);
    words::measure(&mut client, &documents);
    wal::measure(&mut client, &documents, filled);
    bare::measure(&documents);
    prepare::end(&mut client);
}

fn prepared(client: &mut Client, mode: &str) -> Statement {
    let sql = "SELECT chunk_id, content, score FROM socle.search('bench', $1, mode => ";
    client.prepare(&format!("{sql}'{mode}')")).unwrap()
}

/// Milliseconds that `work` takes.
fn timed(work: impl FnOnce()) -> f64 {
    let begun = Instant::now();
    work();
    begun.elapsed().as_secs_f64() * 1000.0
}

/// Latency of every contender for every query, one after the other.
fn latency(client: &mut Client, model: &str, documents: &Documents) {
    let embed = client.prepare("SELECT socle.embed_query($1, $2)::text").unwrap();
    let statements: Vec<Statement> = MODES.iter().map(|mode| prepared(client, mode)).collect();
    let mut times: Vec<Vec<f64>> = vec![Vec::new(); MODES.len() + 1];
    let mut added = Vec::new();
    for at in 0..QUERIES + 30 {
        let query = documents.query(at, 8);
        let alone = timed(|| drop(client.query(&embed, &[&query, &model]).unwrap()));
        let searches: Vec<f64> = statements
            .iter()
            .map(|statement| timed(|| assert!(!client.query(statement, &[&query]).unwrap().is_empty())))
            .collect();
        // The first ones make plans and read indexes.
        if at >= 30 {
            added.push(searches[0] - alone);
            times.iter_mut().zip([&[alone][..], &searches].concat()).for_each(|(all, time)| all.push(time));
        }
    }
    println!("\n### Search in {} chunks, {QUERIES} queries of 8 words\n", documents.pairs.len());
    println!("| | p50 | p99 |\n|---|---|---|");
    for (name, times) in ["`socle.embed_query` alone", "hybrid", "vector", "keyword"].iter().zip(&mut times) {
        println!("| {name} | {:.2} ms | {:.2} ms |", crate::percentile(times, 50), crate::percentile(times, 99));
    }
    let (p50, p99) = (crate::percentile(&mut added, 50), crate::percentile(&mut added, 99));
    println!("| **hybrid, beyond embedding the same query** | **{p50:.2} ms** | {p99:.2} ms |");
    steps(client, documents);
}

/// Time of each step of a search.
fn steps(client: &mut Client, documents: &Documents) {
    let explain = client.prepare("SELECT step, milliseconds FROM socle.explain_search('bench', $1)").unwrap();
    let mut steps: Vec<(String, Vec<f64>)> = Vec::new();
    for at in 0..QUERIES {
        for row in client.query(&explain, &[&documents.query(at, 8)]).unwrap() {
            let (step, Some(time)) = (row.get::<_, String>(0), row.get::<_, Option<f64>>(1)) else { continue };
            match steps.iter_mut().find(|(name, _)| *name == step) {
                Some((_, times)) => times.push(time),
                None => steps.push((step, vec![time])),
            }
        }
    }
    println!("\n| step of a hybrid search, by `socle.explain_search` | p50 |\n|---|---|");
    for (step, times) in &mut steps {
        println!("| {step} | {:.2} ms |", crate::percentile(times, 50));
    }
}

fn throughput(model: &str, documents: &Documents) {
    println!("\n### Clients beside each other\n");
    println!("| queries/s | 1 client | {CLIENTS} clients |\n|---|---|---|");
    let embed = format!("SELECT socle.embed_query($1, '{model}')::text");
    let search = |mode: &str| format!("SELECT chunk_id, content FROM socle.search('bench', $1, mode => '{mode}')");
    let contenders = [("`socle.embed_query` alone".to_string(), embed)];
    for (name, sql) in contenders.into_iter().chain(MODES.map(|mode| (mode.to_string(), search(mode)))) {
        let [one, many] = [1, CLIENTS].map(|clients| rate(clients, &sql, documents));
        println!("| {name} | {one:.0} | {many:.0} |");
    }
}

/// Queries per second of all clients.
fn rate(clients: usize, sql: &str, documents: &Documents) -> f64 {
    let next = AtomicUsize::new(0);
    let mut sessions: Vec<Client> = (0..clients).map(|_| crate::connect()).collect();
    let counted: usize = std::thread::scope(|scope| {
        let work = |session: &mut Client| {
            let statement = session.prepare(sql).unwrap();
            let mut ask = || {
                drop(session.query(&statement, &[&documents.query(next.fetch_add(1, Ordering::Relaxed), 8)]).unwrap())
            };
            (0..10).for_each(|_| ask());
            let begun = Instant::now();
            let mut count = 0;
            while begun.elapsed() < CLIENT_TIME {
                ask();
                count += 1;
            }
            count
        };
        let threads: Vec<_> = sessions.iter_mut().map(|session| scope.spawn(move || work(session))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    counted as f64 / CLIENT_TIME.as_secs_f64()
}
