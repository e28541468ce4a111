//! Measures the keyword index: quality on directories in BEIR layout, and speed beside bare tantivy.
#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::panic, missing_docs)]

use socle_engine::keyword::build::{Chunk, build};
use socle_engine::keyword::schema::Fields;
use socle_engine::keyword::search::{Question, search};
use socle_engine::keyword::segment::Segment;
use socle_engine::keyword::storage::Storage;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;
use tantivy::directory::OwnedBytes;

fn lines(path: &str) -> Vec<serde_json::Value> {
    std::fs::read_to_string(path).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

pub fn segment(language: Option<&str>, chunks: &[Chunk]) -> Arc<Segment> {
    let mut bytes = Vec::new();
    let summary = build(language, chunks, &|| false, &mut bytes).unwrap();
    Arc::new(
        Segment::open(summary.digest, Arc::new(Storage::Memory(OwnedBytes::new(bytes))), &Arc::new(Fields::new()))
            .unwrap(),
    )
}

fn quality(name: &str, language: Option<&str>, query_language: Option<&str>) {
    let directory = format!("{}/{name}", std::env::var("DATA").unwrap());
    let corpus = lines(&format!("{directory}/corpus.jsonl"));
    let ids: HashMap<&str, i64> =
        corpus.iter().zip(0..).map(|(document, at)| (document["_id"].as_str().unwrap(), at)).collect();
    let chunks: Vec<Chunk> = corpus
        .iter()
        .zip(0..)
        .map(|(document, chunk_id)| Chunk {
            chunk_id,
            language: None,
            head: document["title"].as_str().unwrap_or_default().into(),
            content: document["text"].as_str().unwrap().into(),
        })
        .collect();
    let begun = Instant::now();
    let segment = segment(language, &chunks);
    let built = begun.elapsed().as_secs_f64();
    let mut relevant: HashMap<String, HashMap<i64, f64>> = HashMap::new();
    for line in std::fs::read_to_string(format!("{directory}/qrels.tsv")).unwrap().lines().skip(1) {
        let fields: Vec<&str> = line.split('\t').collect();
        if let Some(id) = ids.get(fields[1]) {
            relevant.entry(fields[0].into()).or_default().insert(*id, fields[2].parse().unwrap());
        }
    }
    let (mut sum, mut count) = (0.0, 0);
    let begun = Instant::now();
    for query in lines(&format!("{directory}/queries.jsonl")) {
        let Some(relevant) = relevant.get(query["_id"].as_str().unwrap()) else { continue };
        let question = Question {
            query: query["text"].as_str().unwrap().replace('"', " "),
            language: query_language.map(str::to_string),
            limit: 10,
            ..Question::default()
        };
        let found = search(&[segment.clone()], &question, &|| false).unwrap();
        let gain = |grade: f64, rank: usize| (2_f64.powf(grade) - 1.0) / (rank as f64 + 2.0).log2();
        let dcg: f64 =
            found.hits.iter().enumerate().map(|(rank, (id, _))| gain(*relevant.get(id).unwrap_or(&0.0), rank)).sum();
        let mut best: Vec<f64> = relevant.values().copied().collect();
        best.sort_by(|one, other| other.total_cmp(one));
        let ideal: f64 = best.iter().take(10).enumerate().map(|(rank, grade)| gain(*grade, rank)).sum();
        sum += if ideal > 0.0 { dcg / ideal } else { 0.0 };
        count += 1;
    }
    let mut languages = segment.header().languages.clone();
    languages.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    languages.truncate(4);
    println!(
        "{name:14} {:10} {:10} nDCG@10 {:.4}  {count} queries in {:.2} s, built in {built:.2} s, {} bytes a chunk {languages:?}",
        language.unwrap_or("detected"),
        query_language.unwrap_or("-"),
        sum / f64::from(count),
        begun.elapsed().as_secs_f64(),
        segment.storage.len() / chunks.len()
    );
}

fn main() {
    for (name, language) in [
        ("scifact", "english"),
        ("cranfield", "english"),
        ("npl", "english"),
        ("fquad-valid", "french"),
        ("pgdocs-en2fr", "french"),
    ] {
        quality(name, Some(language), Some(language));
        quality(name, None, None);
        if language == "french" {
            quality(name, Some("simple"), Some("simple"));
        }
    }
}
