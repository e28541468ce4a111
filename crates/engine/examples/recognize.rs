//! Recognises pictures as the engine does, without an engine: `recognize MODEL_DIRECTORY MODEL ONNXRUNTIME THREADS < PICTURES`.
//!
//! PICTURES are any number of binary PGM or PPM files, one after the other. Prints for each, in order, one line of JSON with
//! its lines of text, and to standard error the time of all and the most memory that was taken.
#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::print_stderr, missing_docs)]

use socle_child::directory::ModelRoot;
use socle_core::model::ModelOverrides;
use socle_engine::model::inspect::inspect;
use socle_engine::model::ocr::OcrParts;
use socle_engine::model::runtime::Runtime;
use socle_ocr::{Channels, Picture, Recognized};
use std::io::{self, BufRead};
use std::path::Path;
use std::sync::{Mutex, mpsc};
use std::time::Instant;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [models, model, library, threads] = arguments.as_slice() else {
        eprintln!("usage: recognize MODEL_DIRECTORY MODEL ONNXRUNTIME THREADS < PICTURES");
        return;
    };
    let threads: usize = threads.parse().unwrap();
    let runtime = Runtime::new(Path::new(library));
    let root = ModelRoot::open(Path::new(models)).unwrap();
    let (_, loaded) = inspect(&root, &runtime, model, model, &ModelOverrides::default()).unwrap();
    let parts = loaded.model.ocr().unwrap().parts();
    let (send, pictures) = mpsc::sync_channel(2 * threads);
    let pictures = Mutex::new(pictures);
    let results = Mutex::new(Vec::new());
    let begun = Instant::now();
    let mut waited = 0.0;
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let next = pictures.lock().unwrap().recv();
                    let Ok((number, picture)) = next else { return };
                    results.lock().unwrap().push((number, read(parts, &runtime, picture)));
                }
            });
        }
        let mut input = io::stdin().lock();
        let mut number = 0;
        loop {
            let asked = Instant::now();
            let Some(picture) = next_picture(&mut input) else { break };
            waited += asked.elapsed().as_secs_f64();
            send.send((number, picture)).unwrap();
            number += 1;
        }
        drop(send);
    });
    let seconds = begun.elapsed().as_secs_f64();
    let mut results = results.into_inner().unwrap();
    results.sort_by_key(|(number, _)| *number);
    for (_, recognized) in &results {
        println!("{}", serde_json::to_string(&lines(recognized)).unwrap());
    }
    eprintln!(
        "{} pictures, {seconds:.1} s ({waited:.1} s waiting for them), {} MB at most",
        results.len(),
        most_memory() >> 10
    );
}

fn read(parts: &OcrParts, runtime: &Runtime, picture: Picture) -> Recognized {
    let options = runtime.run_options().unwrap();
    socle_ocr::recognize(picture, &parts.graphs(&options), parts.characters()).unwrap()
}

/// The words of each line with spaces between them.
fn lines(recognized: &Recognized) -> Vec<String> {
    let lines = recognized.words.chunk_by(|a, b| a.line == b.line);
    lines.map(|words| words.iter().map(|word| word.text.as_str()).collect::<Vec<_>>().join(" ")).collect()
}

/// The next picture, or `None` at the end.
fn next_picture(input: &mut impl BufRead) -> Option<Picture> {
    let mut header = Vec::new();
    while header.len() < 4 {
        let mut word = String::new();
        loop {
            let mut byte = [0];
            if input.read(&mut byte).unwrap() == 0 {
                return None;
            }
            if byte[0].is_ascii_whitespace() {
                break;
            }
            word.push(char::from(byte[0]));
        }
        header.push(word);
    }
    let channels = if header[0] == "P6" { Channels::Rgb } else { Channels::Grey };
    let (width, height) = (header[1].parse().unwrap(), header[2].parse().unwrap());
    let mut pixels = vec![0; width as usize * height as usize * channels.bytes()];
    input.read_exact(&mut pixels).unwrap();
    Some(Picture { width, height, channels, pixels, dpi: None })
}

/// The most memory that this process has taken, in kB.
fn most_memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}
