//! The keyword index by itself, without SQL, beside bare tantivy: BM25 over the stems, the best ten.

use super::prepare::Documents;
use super::timed;
use socle_engine::keyword::build::{Chunk, build, merge};
use socle_engine::keyword::language::Language;
use socle_engine::keyword::query_plan::TextField;
use socle_engine::keyword::schema::{Fields, Part};
use socle_engine::keyword::search::{SearchRequest, search};
use socle_engine::keyword::segment::Segment;
use socle_engine::keyword::storage::Storage;
use std::sync::Arc;
use tantivy::collector::TopDocs;
use tantivy::directory::OwnedBytes;
use tantivy::query::{BooleanQuery, Query, TermQuery};
use tantivy::schema::IndexRecordOption;

const QUERIES: usize = 150;

/// Chunks of a segment, as in a first fill.
const SEGMENT: usize = 20_000;

const LANGUAGE: &str = "english";

/// Chunks of contents alone, and with titles and headings.
pub fn measure(documents: &Documents) {
    let contents: Vec<Chunk> = (0..documents.pairs.len())
        .map(|at| Chunk { chunk_id: at as i64, content: documents.body(at), ..Chunk::default() })
        .collect();
    // Five chunks of a document in a row, and two under one heading.
    let words = |at: usize, count: usize| {
        let sentence = &documents.sentences[(at * 7919) % documents.sentences.len()];
        sentence.split(' ').take(count).collect::<Vec<_>>().join(" ")
    };
    let with_title = |chunk: &Chunk| {
        let at = chunk.chunk_id as usize;
        Chunk { title: words(at / 5, 6), headings: words(at / 2 + 1, 8), ..chunk.clone() }
    };
    let titled: Vec<Chunk> = contents.iter().map(with_title).collect();
    timed_search("contents alone", &contents, documents);
    timed_search("with a title of 6 words and headings of 8", &titled, documents);
}

fn timed_search(name: &str, chunks: &[Chunk], documents: &Documents) {
    let fields = Arc::new(Fields::new());
    let open = |digest, bytes| {
        Arc::new(Segment::open(digest, Arc::new(Storage::Memory(OwnedBytes::new(bytes))), &fields).unwrap())
    };
    let mut segments: Vec<Arc<Segment>> = Vec::new();
    let built = timed(|| {
        for chunks in chunks.chunks(SEGMENT) {
            let mut bytes = Vec::new();
            let summary = build(Some(LANGUAGE), &[], chunks, &|| false, &mut bytes).unwrap();
            segments.push(open(summary.digest, bytes));
        }
    });
    let mut bytes = Vec::new();
    let mut merged = None;
    let took = timed(|| merged = merge(&segments, &[], &|| false, &mut bytes).unwrap());
    let size = bytes.len();
    let whole = [open(merged.unwrap().digest, bytes)];
    println!("\n### The keyword index alone, {name}, in memory, language given, {QUERIES} queries each, p50\n");
    println!(
        "{} segments built in {:.1} s, made one in {:.1} s, {} bytes per chunk.\n",
        segments.len(),
        built / 1000.0,
        took / 1000.0,
        size / chunks.len()
    );
    println!(
        "| words | socle, {0} segments | bare tantivy, {0} segments | socle, 1 segment | bare tantivy, 1 segment |",
        segments.len()
    );
    println!("|---|---|---|---|---|");
    for count in [1, 3, 6] {
        let mut times: [Vec<f64>; 4] = Default::default();
        // The first round warms up.
        for round in 0..2 {
            for words in documents.terms(count, QUERIES) {
                let ask = |segments: &[Arc<Segment>]| {
                    let question = SearchRequest { query: words.join(" "), limit: 10, ..SearchRequest::default() };
                    timed(|| drop(search(segments, &question, &|| false).unwrap()))
                };
                let now =
                    [ask(&segments), timed(|| bare(&segments, &words)), ask(&whole), timed(|| bare(&whole, &words))];
                if round > 0 {
                    times.iter_mut().zip(now).for_each(|(all, time)| all.push(time));
                }
            }
        }
        let [many, bare_many, one, bare_one] = times.each_mut().map(|times| crate::median(times));
        println!("| {count} | {many:.3} ms | {bare_many:.3} ms | {one:.3} ms | {bare_one:.3} ms |");
    }
}

/// Searches each segment by itself, without merging the results.
fn bare(segments: &[Arc<Segment>], words: &[String]) {
    let language = Language::named(LANGUAGE).unwrap();
    for segment in segments {
        let terms = words.iter().map(|word| {
            let term =
                tantivy::Term::from_field_text(segment.fields.of(Part::Content, TextField::Stem), &language.stem(word));
            Box::new(TermQuery::new(term, IndexRecordOption::WithFreqs)) as Box<dyn Query>
        });
        let query = BooleanQuery::union(terms.collect());
        segment.searcher().search(&query, &TopDocs::with_limit(10).order_by_score()).unwrap();
    }
}
