//! Corpora: time from commit to searchable, speed of a first fill, cost of the trigger for writers.

use postgres::Client;
use std::time::{Duration, Instant};

/// Single rows whose time from commit to chunks is measured.
const ROWS: usize = 200;
/// Pause before each of them.
const IDLE: Duration = Duration::from_millis(200);
/// Rounds in which the contenders take turns.
const ROUNDS: usize = 3;
/// Transactions of one row each in a round.
const TRANSACTIONS: i32 = 3_000;
/// Rows of a COPY, and the size of each in bytes.
const COPIED: usize = 100_000;
const COPIED_BYTES: usize = 1_000;

pub fn measure(model: &str, texts: &[String]) {
    let mut client = crate::connect();
    client.batch_execute("DROP TABLE IF EXISTS bench_source CASCADE; CREATE TABLE bench_source (id int PRIMARY KEY, body text NOT NULL)").unwrap();
    searchable(&mut client, model, texts);
    fill(&mut client, model, texts);
    single_rows(&mut client, model);
    copy(&mut client, model);
    client.batch_execute("DROP TABLE bench_source CASCADE").unwrap();
}

fn create(client: &mut Client, model: &str) {
    let sql =
        "SELECT socle.create_corpus('bench', 'bench_source', ARRAY['body'], model => $1, template => '{content}')";
    client.execute(sql, &[&model]).unwrap();
}

fn drained(client: &mut Client) -> bool {
    client.query_one("SELECT NOT EXISTS (SELECT FROM bench_change)", &[]).unwrap().get(0)
}

fn searchable(client: &mut Client, model: &str, texts: &[String]) {
    create(client, model);
    client.batch_execute("CALL socle.sync_corpus('bench')").unwrap();
    let mut times: Vec<f64> = (0..ROWS)
        .map(|at| {
            let id = at as i32;
            let words: Vec<&str> = texts[at % texts.len()].split_whitespace().take(40).collect();
            // Rows in close succession are collected.
            std::thread::sleep(IDLE);
            client
                .execute("INSERT INTO bench_source VALUES ($1, $2)", &[&id, &format!("{at} {}", words.join(" "))])
                .unwrap();
            let begun = Instant::now();
            loop {
                let found = client.query_opt("SELECT 1 FROM bench_chunk WHERE source_id = $1 LIMIT 1", &[&id]).unwrap();
                if found.is_some() {
                    break begun.elapsed().as_secs_f64() * 1000.0;
                }
                std::thread::sleep(Duration::from_micros(500));
            }
        })
        .collect();
    println!("\n### {model}: from commit to searchable, {ROWS} single rows of some 40 words\n");
    println!("| | p50 | p99 |\n|---|---|---|");
    println!(
        "| INSERT of one row | {:.1} ms | {:.1} ms |",
        crate::percentile(&mut times, 50),
        crate::percentile(&mut times, 99)
    );
    client.batch_execute("SELECT socle.drop_corpus('bench')").unwrap();
}

fn fill(client: &mut Client, model: &str, texts: &[String]) {
    client.batch_execute("TRUNCATE bench_source").unwrap();
    let sql = "INSERT INTO bench_source SELECT n, t FROM unnest($1::text[]) WITH ORDINALITY AS u (t, n)";
    client.execute(sql, &[&texts]).unwrap();
    let mut ratios = Vec::new();
    let mut rates = Vec::new();
    for _ in 0..ROUNDS {
        create(client, model);
        let begun = Instant::now();
        // The resync comes first: the log is empty before it, too.
        while client.query_one("SELECT count(*) FROM bench_chunk", &[]).unwrap().get::<_, i64>(0) == 0
            || !drained(client)
        {
            std::thread::sleep(Duration::from_millis(5));
        }
        let filled = begun.elapsed().as_secs_f64();
        let chunks: Vec<String> =
            client.query("SELECT content FROM bench_chunk", &[]).unwrap().iter().map(|row| row.get(0)).collect();
        client.batch_execute("CALL socle.sync_corpus('bench')").unwrap();
        let begun = Instant::now();
        client.query_one("SELECT array_length(socle.embed($1::text[], $2), 1)", &[&chunks, &model]).unwrap();
        let embedded = begun.elapsed().as_secs_f64();
        ratios.push(embedded / filled);
        rates.push((chunks.len() as f64 / filled, chunks.len() as f64 / embedded));
        client.batch_execute("SELECT socle.drop_corpus('bench')").unwrap();
    }
    let (fill, embed): (Vec<f64>, Vec<f64>) = rates.into_iter().unzip();
    println!("\n### {model}: first fill of a corpus against socle.embed(text[]) of the same chunks, {ROUNDS} rounds\n");
    println!("| | chunks/s |\n|---|---|");
    println!("| first fill, chunking and writing included | {:.1} |", crate::median(&mut fill.clone()));
    println!("| socle.embed(text[]) alone | {:.1} |", crate::median(&mut embed.clone()));
    println!("| **ratio** | **{:.2}** |", crate::median(&mut ratios));
}

/// Creates the corpus and pauses it, so that only the trigger is measured.
fn paused(client: &mut Client, model: &str) {
    create(client, model);
    client.batch_execute("SELECT socle.pause_corpus('bench')").unwrap();
}

fn single_rows(client: &mut Client, model: &str) {
    client.batch_execute("TRUNCATE bench_source; INSERT INTO bench_source SELECT i, md5(i::text) FROM generate_series(1, 10000) i; ANALYZE bench_source").unwrap();
    let round = |client: &mut Client, salt: i32| {
        let update = client.prepare("UPDATE bench_source SET body = md5($1::int::text) WHERE id = $2").unwrap();
        let begun = Instant::now();
        for at in 0..TRANSACTIONS {
            client.execute(&update, &[&(salt + at), &(at * 7 % 10_000 + 1)]).unwrap();
        }
        begun.elapsed().as_secs_f64()
    };
    let mut ratios = Vec::new();
    round(client, 0);
    for number in 1..=ROUNDS as i32 {
        let bare = round(client, number * 100_000);
        paused(client, model);
        let captured = round(client, number * 100_000 + 50_000);
        client.batch_execute("SELECT socle.drop_corpus('bench')").unwrap();
        ratios.push(captured / bare);
    }
    println!("\n### Cost of the trigger\n");
    println!("| | time against the same without a corpus |\n|---|---|");
    println!("| {TRANSACTIONS} transactions that update one row each | {:.2} |", crate::median(&mut ratios));
}

fn copy(client: &mut Client, model: &str) {
    let lines: String = (0..COPIED).map(|id| format!("{id}\t{}\n", "x".repeat(COPIED_BYTES))).collect();
    let round = |client: &mut Client| {
        client.batch_execute("CHECKPOINT").unwrap();
        let begun = Instant::now();
        let mut writer = client.copy_in("COPY bench_source (id, body) FROM STDIN").unwrap();
        std::io::Write::write_all(&mut writer, lines.as_bytes()).unwrap();
        writer.finish().unwrap();
        let time = begun.elapsed().as_secs_f64();
        client.batch_execute("TRUNCATE bench_source").unwrap();
        time
    };
    client.batch_execute("TRUNCATE bench_source").unwrap();
    let (mut captured, mut keyed) = (Vec::new(), Vec::new());
    round(client);
    for _ in 0..ROUNDS {
        let bare = round(client);
        client
            .batch_execute(
                "CREATE TABLE bench_parent (id int PRIMARY KEY); INSERT INTO bench_parent VALUES (1);
                              ALTER TABLE bench_source ADD COLUMN parent int DEFAULT 1 REFERENCES bench_parent",
            )
            .unwrap();
        keyed.push(round(client) / bare);
        client.batch_execute("ALTER TABLE bench_source DROP COLUMN parent; DROP TABLE bench_parent").unwrap();
        paused(client, model);
        captured.push(round(client) / bare);
        client.batch_execute("SELECT socle.drop_corpus('bench')").unwrap();
    }
    println!("| COPY of {COPIED} rows of {COPIED_BYTES} bytes | {:.2} |", crate::median(&mut captured));
    println!("| the same COPY with a foreign key instead | {:.2} |", crate::median(&mut keyed));
}
