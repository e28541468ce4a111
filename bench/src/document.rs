//! Files as text: socle through SQL, beside the crates with which pgrag reads files in the session itself, and pypdf.
//! The files are those of the tests, made by LibreOffice from a known text: quality is the share of its words that come
//! out in order.

use postgres::Client;
use std::io::{BufRead, BufReader, Write};
use std::panic::catch_unwind;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

const FILES: [&str; 6] =
    ["handbook.pdf", "columns.pdf", "handbook.docx", "handbook.odt", "handbook.rtf", "handbook.epub"];

/// Number of times that each file is read.
const ROUNDS: usize = 30;

/// Number of small documents that each of two sessions reads one after another.
const SMALL: usize = 300;

/// Seconds and text of one reading; `None` if it failed.
type Reading = Option<(f64, String)>;

pub fn measure(script: &Path) {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates/extract/tests/files");
    let known = without_notes(&std::fs::read_to_string(directory.join("handbook.txt")).unwrap());
    let mut client = crate::connect();
    let mut pypdf = Command::new("python3").arg(script).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut paths = pypdf.stdin.take().unwrap();
    let mut texts = BufReader::new(pypdf.stdout.take().unwrap());
    println!("\n### Files, {ROUNDS} readings each: median time, and words of the known text that come out in order\n");
    println!("| file | `socle.extract_text` | pdf-extract, docx-rs (pgrag's way) | pypdf |\n|---|---|---|---|");
    for name in FILES {
        let path = directory.join(name);
        let bytes = std::fs::read(&path).unwrap();
        let ours = repeated(|| socle(&mut client, &bytes));
        let crates = repeated(|| in_process(name, &bytes));
        let python = repeated(|| {
            name.ends_with(".pdf").then(|| {
                writeln!(paths, "{}", path.display()).unwrap();
                let mut line = String::new();
                texts.read_line(&mut line).unwrap();
                serde_json::from_str(&line).unwrap()
            })
        });
        let cells = [ours, crates, python].map(|reading| shown(reading, &known));
        println!("| {name} | {} |", cells.join(" | "));
    }
    drop(paths);
    pypdf.wait().unwrap();
    small();
}

fn socle(client: &mut Client, bytes: &[u8]) -> Reading {
    let begun = Instant::now();
    let text: String = client.query_one("SELECT socle.extract_text($1)", &[&bytes]).unwrap().get(0);
    Some((begun.elapsed().as_secs_f64(), text))
}

/// Reads a file as pgrag does; there a panic would happen in the session.
fn in_process(name: &str, bytes: &[u8]) -> Reading {
    let begun = Instant::now();
    let text = match name.rsplit('.').next()? {
        "pdf" => catch_unwind(|| pdf_extract::extract_text_from_mem(bytes)).ok()?.ok()?,
        "docx" => {
            let document = docx_rs::read_docx(bytes).ok()?;
            let paragraphs = document.document.children.into_iter().filter_map(|child| match child {
                docx_rs::DocumentChild::Paragraph(paragraph) => Some(paragraph.raw_text()),
                _ => None,
            });
            paragraphs.collect::<Vec<_>>().join("\n")
        }
        _ => return None,
    };
    Some((begun.elapsed().as_secs_f64(), text))
}

/// The median time, and the text of the last reading.
fn repeated(mut read: impl FnMut() -> Reading) -> Reading {
    let mut times = Vec::new();
    let mut text = String::new();
    for _ in 0..ROUNDS {
        let (time, read) = read()?;
        times.push(time);
        text = read;
    }
    Some((crate::median(&mut times), text))
}

fn shown(reading: Reading, known: &str) -> String {
    reading.map_or_else(String::new, |(seconds, text)| {
        format!("{:.1} ms, {:.1} %", seconds * 1000.0, 100.0 * in_order(&words(known), &words(&text)))
    })
}

/// The text without notes, which some formats put at the end of a page or chapter.
fn without_notes(text: &str) -> String {
    let lines = text.lines().filter(|line| !line.starts_with("[^"));
    let marks = |line: &str| {
        line.split("[^")
            .enumerate()
            .map(|(at, part)| if at == 0 { part } else { part.split_once(']').map_or("", |(_, rest)| rest) })
            .collect::<String>()
    };
    lines.map(marks).collect::<Vec<_>>().join("\n")
}

/// The words in lower case, without markup.
fn words(text: &str) -> Vec<String> {
    let words = text.split(|sign: char| !sign.is_alphanumeric());
    words.filter(|word| !word.is_empty()).map(str::to_lowercase).collect()
}

/// Length of the longest common subsequence, as a share of the known words.
fn in_order(known: &[String], found: &[String]) -> f64 {
    let mut row = vec![0_usize; found.len() + 1];
    for word in known {
        let mut diagonal = 0;
        for (at, other) in found.iter().enumerate() {
            let above = row[at + 1];
            row[at + 1] = if word == other { diagonal + 1 } else { above.max(row[at]) };
            diagonal = above;
        }
    }
    row[found.len()] as f64 / known.len() as f64
}

/// Measures many small documents, with a process for each.
fn small() {
    let letter = "<h1>Letter</h1><p>The server is restored from its backup.</p>".as_bytes();
    let begun = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                let mut client = crate::connect();
                let sql = "SELECT count(socle.extract_text($1 || convert_to(i::text, 'UTF8'))) FROM generate_series(1, $2::int) i";
                client.query_one(sql, &[&letter, &(SMALL as i32)]).unwrap();
            });
        }
    });
    println!(
        "\n{:.0} small documents a second from two sessions (target 50)",
        2.0 * SMALL as f64 / begun.elapsed().as_secs_f64()
    );
}
