//! How long a statement that embeds in bulk, or has a text generated, continues after it is cancelled or has timed out.

use postgres::error::SqlState;
use postgres::{Client, NoTls};
use std::time::{Duration, Instant};

/// Interrupts of each kind.
const ROUNDS: usize = 50;

/// Milliseconds within which 95 of 100 statements are to end.
const TARGET: f64 = 250.0;

/// `statement_timeout`: enough to be in the middle of the work.
const TIMEOUT: Duration = Duration::from_millis(200);

pub fn measure(model: &str, texts: &[String]) {
    let mut client = crate::connect();
    client
        .batch_execute("SET socle.truncate_input = on; CREATE TEMPORARY TABLE interrupted (content text NOT NULL)")
        .unwrap();
    client.execute("INSERT INTO interrupted SELECT unnest($1::text[])", &[&texts]).unwrap();
    // Twenty copies, so that it would take minutes.
    let sql =
        format!("SELECT socle.embed(array_agg(content), '{model}') IS NULL FROM interrupted, generate_series(1, 20)");
    report(&mut client, model, &sql);
}

/// The same for a generator, in long prompts and in texts.
pub fn measure_generator() {
    let mut client = crate::connect();
    let register = "SELECT socle.register_generator('interrupted', 'smollm2-135m-instruct/model.gguf')";
    client.simple_query(register).unwrap();
    let generate = |prompt: &str, options: &str| {
        format!("SELECT socle.generate({prompt}, 'interrupted', {options}) FROM generate_series(1, 1000) AS i")
    };
    client.simple_query("SELECT socle.generate('warm', 'interrupted', 1)").unwrap();
    report(&mut client, "SmolLM2-135M, in the prompt", &generate("i || repeat(' word', 7000)", "1"));
    report(&mut client, "SmolLM2-135M, in the text", &generate("'Tell me story ' || i", "500, 1"));
    client.simple_query("SELECT socle.drop_generator('interrupted')").unwrap();
}

fn report(client: &mut Client, name: &str, sql: &str) {
    let mut cancelled = cancels(client, sql);
    let mut timed_out = timeouts(client, sql);
    client.batch_execute("RESET statement_timeout").unwrap();
    println!("\n### {name}: end of a statement that is interrupted, {ROUNDS} times each\n");
    println!("| | p50 | p95 | slowest | target for p95 |");
    println!("|---|---|---|---|---|");
    for (name, values) in [("cancel", &mut cancelled), ("`statement_timeout`, beyond its time", &mut timed_out)] {
        let [p50, p95, slowest] = [50, 95, 100].map(|percent| crate::percentile(values, percent));
        println!("| {name} | {p50:.1} ms | {p95:.1} ms | {slowest:.1} ms | {TARGET:.0} ms |");
    }
}

/// Milliseconds from each request to cancel to the end of the statement.
fn cancels(client: &mut Client, sql: &str) -> Vec<f64> {
    let token = client.cancel_token();
    let mut round = |number: usize| {
        std::thread::scope(|scope| {
            let statement = scope.spawn(|| interrupted(client, sql));
            // At different moments of the work.
            std::thread::sleep(TIMEOUT + Duration::from_millis(number as u64 * 37 % 150));
            let begun = Instant::now();
            token.cancel_query(NoTls).unwrap();
            milliseconds(statement.join().unwrap() - begun)
        })
    };
    (0..ROUNDS).map(&mut round).collect()
}

/// Milliseconds from the timeout of each statement to its end.
fn timeouts(client: &mut Client, sql: &str) -> Vec<f64> {
    client.batch_execute(&format!("SET statement_timeout = {}", TIMEOUT.as_millis())).unwrap();
    let round = |_| {
        let begun = Instant::now();
        milliseconds((interrupted(client, sql) - begun).saturating_sub(TIMEOUT))
    };
    (0..ROUNDS).map(round).collect()
}

/// The moment at which the statement ended, as cancelled.
fn interrupted(client: &mut Client, sql: &str) -> Instant {
    let result = client.simple_query(sql);
    let ended = Instant::now();
    assert_eq!(result.err().and_then(|error| error.code().cloned()), Some(SqlState::QUERY_CANCELED));
    ended
}

fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}
