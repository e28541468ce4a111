//! Searches that a part of the source passes: latency, and how many of the nearest chunks the vector retriever finds. A
//! chunk as near as the tenth counts as found: equal texts have equal vectors.

use super::prepare::Documents;
use super::timed;
use postgres::Client;

/// How many of 10,000 parts pass.
const PARTS: [i32; 5] = [10_000, 5_000, 500, 50, 5];

const QUERIES: usize = 100;

/// Largest difference of two similarities that count as equal.
const EQUAL: f64 = 1e-6;

pub fn measure(client: &mut Client, model: &str, documents: &Documents) {
    println!("\n### Filters, {QUERIES} queries each\n");
    println!("| passes | hybrid, p50 | vector, p50 | recall@10 of the vector leg | how |\n|---|---|---|---|---|");
    for parts in PARTS {
        let filter = if parts == PARTS[0] { "NULL".into() } else { format!("'{{\"part\": {{\"<\": {parts}}}}}'") };
        let sql = |mode: &str| {
            format!("SELECT vector_score FROM socle.search('bench', $1, mode => '{mode}', filter => {filter})")
        };
        let [hybrid, vector] = ["hybrid", "vector"].map(|mode| client.prepare(&sql(mode)).unwrap());
        let embed = client.prepare("SELECT socle.embed_query($1, $2)::text").unwrap();
        let exact = format!(
            "SELECT 1 - (k.embedding <=> $1::text::vector) FROM bench_source s JOIN bench_chunk k ON k.source_id = s.id
             WHERE s.part < {parts} ORDER BY (k.embedding <=> $1::text::vector) + 0 LIMIT 10"
        );
        let exact = client.prepare(&exact).unwrap();
        let mut times: [Vec<f64>; 2] = Default::default();
        let (mut found, mut wanted) = (0, 0);
        for at in 0..QUERIES {
            let query = documents.query(at, 8);
            let mut rows = Vec::new();
            times[0].push(timed(|| drop(client.query(&hybrid, &[&query]).unwrap())));
            times[1].push(timed(|| rows = client.query(&vector, &[&query]).unwrap()));
            let meaning: String = client.query_one(&embed, &[&query, &model]).unwrap().get(0);
            let nearest = client.query(&exact, &[&meaning]).unwrap();
            let least: f64 = nearest.last().unwrap().get(0);
            found += rows.iter().filter(|row| row.get::<_, f64>(0) >= least - EQUAL).count();
            wanted += nearest.len();
        }
        let how = format!(
            "SELECT detail FROM socle.explain_search('bench', 'package', mode => 'vector', filter => {filter}) WHERE step = 'vector'"
        );
        let how: String = client.query_one(&how, &[]).unwrap().get(0);
        let [hybrid, vector] = times.each_mut().map(|times| crate::percentile(times, 50));
        println!(
            "| {} % | {hybrid:.2} ms | {vector:.2} ms | {:.3} | {how} |",
            f64::from(parts) / 100.0,
            found as f64 / wanted as f64
        );
    }
}
