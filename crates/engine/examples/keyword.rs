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
        let found = search(std::slice::from_ref(&segment), &question, &|| false).unwrap();
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

/// Short documents of real words: windows of the texts of SciFact.
fn short(count: i64) -> Vec<Chunk> {
    let corpus = lines(&format!("{}/scifact/corpus.jsonl", std::env::var("DATA").unwrap()));
    let texts: Vec<Vec<&str>> =
        corpus.iter().map(|document| document["text"].as_str().unwrap().split(' ').collect()).collect();
    let mut state = 42_u64;
    let mut random = |below: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % below
    };
    (0..count)
        .map(|chunk_id| {
            let mut words = Vec::new();
            for _ in 0..3 {
                let text = &texts[random(texts.len())];
                let from = random(text.len());
                words.extend_from_slice(&text[from..text.len().min(from + 5 + random(8))]);
            }
            Chunk { chunk_id, content: words.join(" "), ..Chunk::default() }
        })
        .collect()
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

fn timed(queries: &[String], mut run: impl FnMut(&str)) -> f64 {
    queries.iter().for_each(|query| run(query));
    median(
        queries
            .iter()
            .map(|query| {
                let begun = Instant::now();
                run(query);
                begun.elapsed().as_secs_f64() * 1000.0
            })
            .collect(),
    )
}

fn bare(segment: &Arc<Segment>, query: &str) {
    use tantivy::collector::TopDocs;
    use tantivy::query::{BooleanQuery, Query, TermQuery};
    let language = socle_engine::keyword::language::Language::named("english").unwrap();
    let terms: Vec<Box<dyn Query>> = query
        .split(' ')
        .map(|word| {
            let term = tantivy::Term::from_field_text(segment.fields.stem, &language.stem(word));
            Box::new(TermQuery::new(term, tantivy::schema::IndexRecordOption::WithFreqs)) as Box<dyn Query>
        })
        .collect();
    segment.searcher().search(&BooleanQuery::union(terms), &TopDocs::with_limit(10).order_by_score()).unwrap();
}

fn speed(count: i64) {
    let chunks = short(count);
    let begun = Instant::now();
    let whole = segment(Some("english"), &chunks);
    let bytes = whole.storage.len() as f64 / count as f64;
    println!("{count} chunks built in {:.1} s, {bytes:.0} bytes a chunk", begun.elapsed().as_secs_f64());
    let parts: Vec<Arc<Segment>> =
        chunks.chunks(chunks.len() / 40).map(|chunks| segment(Some("english"), chunks)).collect();
    let bytes: usize = parts.iter().map(|part| part.storage.len()).sum();
    println!("{} segments, {} bytes a chunk", parts.len(), bytes as i64 / count);
    let begun = Instant::now();
    let mut merged = Vec::new();
    socle_engine::keyword::build::merge(&parts, &[], &|| false, &mut merged).unwrap();
    println!("merged in {:.1} s", begun.elapsed().as_secs_f64());
    drop(merged);
    // The same from a file.
    let directory = std::env::temp_dir().join(format!("socle-keyword-bench-{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    let cache = socle_engine::keyword::cache::Cache::new(&directory);
    let mut draft = cache.draft();
    draft.write_at(0, &whole.storage.read(0..whole.storage.len()).unwrap()).unwrap();
    cache.keep(draft, whole.digest).unwrap();
    let socle_engine::keyword::cache::Acquired::All(file) = cache.acquire(&[whole.digest]).unwrap() else { panic!() };
    let queries = lines(&format!("{}/scifact/queries.jsonl", std::env::var("DATA").unwrap()));
    let whole = [whole];
    for terms in [1, 3, 6] {
        let queries: Vec<String> = queries
            .iter()
            .map(|query| query["text"].as_str().unwrap().to_lowercase())
            .map(|text| {
                text.split(|sign: char| !sign.is_ascii_alphabetic())
                    .filter(|word| word.len() > 4)
                    .take(terms)
                    .collect::<Vec<_>>()
                    .join(" ")
            })
            .filter(|text| text.split(' ').count() == terms)
            .take(150)
            .collect();
        let base = timed(&queries, |query| bare(&whole[0], query));
        let ask = |segments: &[Arc<Segment>], question: &Question| {
            search(segments, question, &|| false).unwrap();
        };
        let plain = |query: &str| Question { query: query.into(), limit: 10, ..Question::default() };
        let one = timed(&queries, |query| ask(&whole, &plain(query)));
        let many = timed(&queries, |query| ask(&parts, &plain(query)));
        let bare_many = timed(&queries, |query| parts.iter().for_each(|part| bare(part, query)));
        let disk = timed(&queries, |query| ask(&file, &plain(query)));
        let full = timed(&queries, |query| ask(&whole, &Question { limit: u32::MAX, ..plain(query) }));
        print!(
            "{terms} terms, {} queries: bare {base:.3} ms, one {one:.3}, 40 segments {many:.3} (bare {bare_many:.3}), from a file {disk:.3}, whole list {full:.3}; restricted to",
            queries.len()
        );
        for size in [10, 1000, 10_000, 100_000] {
            let list: Vec<i64> = (0..size).map(|at| at * (count / size)).collect();
            let time = timed(&queries, |query| ask(&whole, &Question { restrict: Some(list.clone()), ..plain(query) }));
            print!(" {size}: {time:.3}");
        }
        println!();
    }
    std::fs::remove_dir_all(directory).unwrap();
}

fn main() {
    if let Some(count) = std::env::args().nth(1) {
        return speed(count.parse().unwrap());
    }
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
