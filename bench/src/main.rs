//! `make bench`: socle through SQL, a bare ONNX Runtime loop and fastembed, in turns on the same texts and model, so
//! that other load on the machine affects all of them. Prints a table in Markdown; asserts nothing.
//!
//! usage: socle-bench MODELS_DIRECTORY ONNXRUNTIME FASTEMBED_SCRIPT and optionally BEIR_DIRECTORY, with PGHOST and PGUSER set.
//! SOCLE_BENCH=throughput, query, interrupt, corpus, turns, search, index, document, generator or quality measures that part alone; index is a part of search.
//! ocr and ocr-memory are measured only when they are asked for.
#![allow(clippy::unwrap_used, clippy::print_stdout, missing_docs)]

mod bare;
mod corpus;
mod document;
mod fastembed;
mod generator;
mod interrupt;
mod memory;
mod ocr;
mod quality;
mod query;
mod search;
mod texts;
mod turns;

use postgres::{Client, Config, NoTls};
use socle_engine::model::runtime::Runtime;
use std::path::Path;
use std::time::Instant;

/// Rounds of each contender.
const ROUNDS: usize = 5;

const MODELS: [&str; 2] = ["all-minilm-l6-v2", "bge-small-en-v1.5"];

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [models, onnxruntime, script, rest @ ..] = arguments.as_slice() else {
        println!("usage: socle-bench MODELS_DIRECTORY ONNXRUNTIME FASTEMBED_SCRIPT [BEIR_DIRECTORY]");
        return;
    };
    let only = std::env::var("SOCLE_BENCH").unwrap_or_default();
    let wanted = |part: &str| only.is_empty() || only == part;
    if wanted("generator") {
        generator::measure(Path::new(models));
    }
    if only == "generator" {
        return;
    }
    let mut client = with_models();
    match only.as_str() {
        "ocr" => return ocr::measure(&Path::new(script).with_file_name("ocr")),
        "ocr-memory" => return ocr::measure_memory(),
        _ => {}
    }
    let texts = match rest.first() {
        Some(directory) => texts::beir(Path::new(directory)),
        None => texts::stored(&mut client),
    };
    println!("{} texts, {} processors, {}", texts.len(), processors(), version(&mut client));
    if wanted("throughput") {
        let runtime = Runtime::new(Path::new(onnxruntime));
        for model in MODELS {
            throughput(&mut client, model, &texts, Path::new(models), &runtime, script);
        }
    }
    if wanted("query") {
        query::measure(MODELS[0], &texts);
        interrupt::measure(MODELS[1], &texts);
        memory::measure(MODELS[0]);
    }
    if wanted("interrupt") {
        interrupt::measure_generator();
        query::measure_beside_generation(MODELS[0], &texts);
    }
    if wanted("corpus") {
        corpus::measure(MODELS[0], &texts);
    }
    if wanted("turns") {
        turns::measure(MODELS[0]);
    }
    if wanted("search") {
        search::measure(MODELS[0], &texts);
    }
    if only == "index" {
        search::measure_index(&texts);
    }
    if wanted("document") {
        document::measure(&Path::new(script).with_file_name("pypdf_run.py"));
    }
    if let Some(directory) = rest.first()
        && wanted("quality")
    {
        quality::measure(Path::new(directory));
    }
}

/// A session where the extension is new and its models are registered.
fn with_models() -> Client {
    let mut client = connect();
    client.batch_execute("DROP EXTENSION IF EXISTS socle CASCADE; CREATE EXTENSION socle CASCADE").unwrap();
    for model in MODELS {
        client.execute("SELECT socle.register_model($1, $1)", &[&model]).unwrap();
    }
    client
}

pub fn connect() -> Client {
    let mut config = Config::new();
    config.host(&std::env::var("PGHOST").unwrap()).user("postgres").dbname("postgres").connect(NoTls).unwrap()
}

fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

fn version(client: &mut Client) -> String {
    client.query_one("SELECT split_part(version(), ' on ', 1) || ', socle ' || socle.version()", &[]).unwrap().get(0)
}

/// Texts per second of each contender, in turns, and the ratios within each round.
fn throughput(client: &mut Client, model: &str, texts: &[String], models: &Path, runtime: &Runtime, script: &str) {
    client.batch_execute("SET socle.truncate_input = on").unwrap();
    let bare = bare::Loop::new(models, runtime, model);
    let mut fastembed = fastembed::Process::start(script, &models.join(model), model, texts);
    let sql = "SELECT array_length(socle.embed($1::text[], $2), 1)";
    let mut seconds: [Vec<f64>; 3] = Default::default();
    for round in 0..=ROUNDS {
        let begun = Instant::now();
        let count: i32 = client.query_one(sql, &[&texts, &model]).unwrap().get(0);
        assert_eq!(count as usize, texts.len());
        let times = [begun.elapsed().as_secs_f64(), bare.run(texts), fastembed.run()];
        // The first round warms up.
        if round > 0 {
            seconds.iter_mut().zip(times).for_each(|(all, time)| all.push(time));
        }
    }
    let tokens = bare.tokens(texts);
    println!("\n### {model}: throughput, median of {ROUNDS} rounds\n");
    println!("| contender | texts/s | tokens/s | socle is … times as fast (median, range of the rounds) |");
    println!("|---|---|---|---|");
    let names = ["socle.embed(text[]) through SQL", "bare ONNX Runtime loop, same batching", "fastembed, as it comes"];
    for (name, times) in names.iter().zip(&seconds) {
        let mut ratios: Vec<f64> = times.iter().zip(&seconds[0]).map(|(other, socle)| other / socle).collect();
        let time = median(&mut times.clone());
        let ratio = median(&mut ratios);
        println!(
            "| {name} | {:.1} | {:.0} | {ratio:.2} ({:.2} to {:.2}) |",
            texts.len() as f64 / time,
            tokens as f64 / time,
            ratios.first().unwrap(),
            ratios.last().unwrap(),
        );
    }
}

/// The median; sorts the values.
pub fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// The value that `percent` of the values do not exceed; sorts the values.
pub fn percentile(values: &mut [f64], percent: usize) -> f64 {
    values.sort_by(f64::total_cmp);
    values[(values.len() * percent).div_ceil(100) - 1]
}
