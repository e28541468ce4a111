//! Latency of a query, alone and while another connection embeds in bulk or has text generated.

use postgres::Client;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Instant;

const QUERIES: usize = 1000;
/// Rounds in which measurements alone and under load take turns.
const ROUNDS: usize = 5;

pub fn measure(model: &str, texts: &[String]) {
    let embedded = AtomicUsize::new(0);
    let seconds = compare(model, texts, "while another connection embeds in bulk", &|done| {
        let mut bulk = crate::connect();
        bulk.batch_execute("SET socle.truncate_input = on").unwrap();
        while !done.load(Ordering::Relaxed) {
            let part = &texts[..texts.len().min(200)];
            bulk.query_one("SELECT socle.embed($1::text[], $2) IS NULL", &[&part, &model]).unwrap();
            embedded.fetch_add(part.len(), Ordering::Relaxed);
        }
    });
    let rate = embedded.load(Ordering::Relaxed) as f64 / seconds;
    println!("\nMeanwhile the bulk connection embedded about {rate:.0} texts/s.");
}

/// The same beside text that is generated, by the default number of threads.
pub fn measure_beside_generation(model: &str, texts: &[String]) {
    let mut client = crate::connect();
    let register = "SELECT socle.register_generator('beside', 'smollm2-135m-instruct/model.gguf')";
    client.simple_query(register).unwrap();
    client.simple_query("SELECT socle.generate('warm', 'beside', 1)").unwrap();
    compare(model, texts, "while another connection has text generated, in the prompt and in the text", &|done| {
        let mut writer = crate::connect();
        while !done.load(Ordering::Relaxed) {
            writer.simple_query("SELECT socle.generate(repeat('a word ', 300), 'beside', 100)").unwrap();
        }
    });
    client.simple_query("SELECT socle.drop_generator('beside')").unwrap();
}

/// Measures alone and beside `work`, which goes on until it is told that the measurement is done. Returns the seconds beside it.
fn compare(model: &str, texts: &[String], name: &str, work: &(dyn Fn(&AtomicBool) + Sync)) -> f64 {
    let mut client = crate::connect();
    latencies(&mut client, model, texts, 50);
    let (mut alone, mut loaded) = (Vec::new(), Vec::new());
    let mut busy = 0.0;
    for _ in 0..ROUNDS {
        alone.extend(latencies(&mut client, model, texts, QUERIES / ROUNDS));
        let done = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| work(&done));
            std::thread::sleep(std::time::Duration::from_millis(500));
            let begun = Instant::now();
            loaded.extend(latencies(&mut client, model, texts, QUERIES / ROUNDS));
            busy += begun.elapsed().as_secs_f64();
            done.store(true, Ordering::Relaxed);
        });
    }
    println!("\n### {model}: latency of socle.embed_query through SQL, {QUERIES} queries each\n");
    println!("| | p50 | p99 | p99 against idle |");
    println!("|---|---|---|---|");
    let idle = crate::percentile(&mut alone, 99);
    for (name, values) in [("alone", &mut alone), (name, &mut loaded)] {
        let (p50, p99) = (crate::percentile(values, 50), crate::percentile(values, 99));
        println!("| {name} | {p50:.2} ms | {p99:.2} ms | {:.2} |", p99 / idle);
    }
    busy
}

/// Milliseconds of each query. No two are the same, so that no result is cached.
fn latencies(client: &mut Client, model: &str, texts: &[String], count: usize) -> Vec<f64> {
    (0..count)
        .map(|at| {
            let words: Vec<&str> = texts[(at * 7) % texts.len()].split_whitespace().take(8).collect();
            let query = format!("{} {at}", words.join(" "));
            let begun = Instant::now();
            client.query_one("SELECT socle.embed_query($1, $2)::text", &[&query, &model]).unwrap();
            begun.elapsed().as_secs_f64() * 1000.0
        })
        .collect()
}
