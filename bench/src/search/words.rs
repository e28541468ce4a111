//! Keyword search against PostgreSQL's own: `ts_rank` over a GIN index, with any of the words.

use super::prepare::Documents;
use super::timed;
use postgres::Client;

const QUERIES: usize = 100;

pub fn measure(client: &mut Client, documents: &Documents) {
    let socle = super::prepared(client, "keyword");
    let postgres = "SELECT chunk_id FROM bench_words, websearch_to_tsquery('english', $1) AS q WHERE words @@ q
                    ORDER BY ts_rank(words, q) DESC LIMIT 10";
    let postgres = client.prepare(postgres).unwrap();
    println!("\n### Words, {QUERIES} queries each, p50\n");
    println!("| words | keyword mode of `socle.search` | `ts_rank` over GIN | times as fast |\n|---|---|---|---|");
    for count in [1, 3, 6] {
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        for words in documents.terms(count, QUERIES) {
            ours.push(timed(|| drop(client.query(&socle, &[&words.join(" ")]).unwrap())));
            theirs.push(timed(|| drop(client.query(&postgres, &[&words.join(" or ")]).unwrap())));
        }
        let (ours, theirs) = (crate::median(&mut ours), crate::median(&mut theirs));
        println!("| {count} | {ours:.2} ms | {theirs:.2} ms | {:.1} |", theirs / ours);
    }
}
