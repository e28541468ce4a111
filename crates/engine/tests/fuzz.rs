//! Damaged documents through the engine's socket: each gets a response within its limits, and the engine keeps running.
//! Runs for a second for each format; `make fuzz` runs longer and keeps the documents that crashed a reader.
//!
//! A third-party parser may panic or crash, which is why readers are processes. Such cases are counted, and should be
//! reported to the authors of the parser.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, missing_docs)]

mod support;

use socle_core::document::ExtractLimits;
use socle_core::protocol::{Request, Response};
use std::collections::BTreeMap;
use std::io::{Cursor, Read, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use support::{Client, Engine};

const LIMITS: ExtractLimits =
    ExtractLimits { seconds: 10, memory_bytes: 512 << 20, text_bytes: 8 << 20, recognition_seconds: 0 };

/// Added to the time limit, for a machine that is busy with other work.
const SLACK: Duration = Duration::from_secs(60);

/// Pseudo-random numbers that depend on the seed only (xorshift).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit.max(1) as u64) as usize
    }

    fn range(&mut self, length: usize) -> std::ops::Range<usize> {
        let from = self.below(length);
        from..from + self.below((length - from).min(4096))
    }
}

/// Byte sequences that parsers have failed on before.
const TOKENS: [&[u8]; 12] = [
    b"<",
    b">",
    b"\0\0\0\0",
    b"\xff\xff\xff\xff",
    b"-1",
    b"99999999999",
    b"obj",
    b"endobj",
    b"<<",
    b"/Kids",
    b"{\\",
    b"&#x0;",
];

fn mutate(bytes: &mut Vec<u8>, other: &[u8], random: &mut Random) {
    for _ in 0..=random.below(6) {
        let length = bytes.len();
        if length == 0 {
            return;
        }
        match random.below(7) {
            0 => bytes[random.below(length)] ^= 1 << random.below(8),
            1 => bytes[random.below(length)] = random.next() as u8,
            2 => bytes.truncate(random.below(length)),
            3 => drop(bytes.drain(random.range(length))),
            4 => {
                let piece = bytes[random.range(length)].to_vec();
                let at = random.below(bytes.len());
                bytes.splice(at..at, piece);
            }
            5 => {
                let piece = other.get(random.range(other.len())).unwrap_or_default().to_vec();
                let at = random.below(length);
                bytes.splice(at..at, piece);
            }
            _ => {
                let token = TOKENS[random.below(TOKENS.len())];
                let at = random.below(length);
                let end = (at + random.below(token.len() + 1)).min(length);
                bytes.splice(at..end, token.iter().copied());
            }
        }
    }
}

/// An archive with one of its members changed; `None` for other files.
fn mutate_member(bytes: &[u8], random: &mut Random) -> Option<Vec<u8>> {
    let mut archive = zip::ZipArchive::new(Cursor::new(bytes)).ok()?;
    let chosen = random.below(archive.len());
    let mut written = zip::ZipWriter::new(Cursor::new(Vec::new()));
    let options = zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    for at in 0..archive.len() {
        let mut member = archive.by_index(at).ok()?;
        let name = member.name().ok()?.to_string();
        let mut content = Vec::new();
        member.read_to_end(&mut content).ok()?;
        if at == chosen {
            let other = content.clone();
            mutate(&mut content, &other, random);
        }
        written.start_file(name, options).ok()?;
        written.write_all(&content).ok()?;
    }
    Some(written.finish().ok()?.into_inner())
}

/// Documents of the text formats, of which there are no sample files.
const TEXTS: [(&str, &str); 3] = [
    (
        "xml",
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<!DOCTYPE log [<!ENTITY harbour \"Rotterdam\">]>\n<log xmlns:x=\"urn:x\">\
         <entry x:at=\"2026-03-01\" n='1'>The &harbour; pump &amp; its valve</entry><!-- none --><entry><![CDATA[a < b]]></entry>\
         <?render now?><list><item>one</item><item/>tail</list></log>\n",
    ),
    (
        "json",
        "{\"title\": \"Pumps\", \"count\": -1.5e3, \"open\": true, \"none\": null,\n \"parts\": [{\"name\": \"valve \\u00e9\\ud83d\\ude00\"}, \
         [[], {}], \"a\\nb\"]}\n",
    ),
    ("jsonl", "{\"a\": 1}\n{\"a\": [\"two\"]}\n"),
];

/// The sample files of each format, by extension.
fn seeds() -> BTreeMap<String, Vec<Vec<u8>>> {
    let mut seeds: BTreeMap<String, Vec<Vec<u8>>> = BTreeMap::new();
    let mut directories = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("../extract/tests/files")];
    while let Some(directory) = directories.pop() {
        for path in std::fs::read_dir(directory).unwrap().flatten().map(|entry| entry.path()) {
            let extension = path.extension().and_then(|name| name.to_str()).unwrap_or_default().to_string();
            if path.is_dir() {
                directories.push(path);
            } else if extension != "py" {
                seeds.entry(extension).or_default().push(std::fs::read(path).unwrap());
            }
        }
    }
    for (format, seed) in TEXTS {
        seeds.entry(format.into()).or_default().push(seed.as_bytes().to_vec());
    }
    // The same order on every machine.
    seeds.values_mut().for_each(|files| files.sort());
    seeds
}

/// The outcome of reading a document in a few words.
fn read(client: &mut Client, name: &str, bytes: &[u8]) -> String {
    let begun = Instant::now();
    let request = Request::Extract { media_type: None, name: Some(name), limits: LIMITS, bulk: true, ocr: None, bytes };
    let answer = client.call(&request).pop();
    let longest = Duration::from_secs(LIMITS.seconds.into()) + SLACK;
    assert!(begun.elapsed() < longest, "reading took {:?}", begun.elapsed());
    match answer {
        Some(Response::Extracted(document)) => {
            assert!(document.markdown.len() as u64 <= LIMITS.text_bytes);
            document.rows().for_each(|row| assert!(!row.content.is_empty()));
            "text".into()
        }
        Some(Response::Failed { error, .. }) if error.kind == socle_core::Kind::ExtractionFailed => error.message,
        Some(Response::Failed { .. }) => "orderly error".into(),
        other => panic!("{other:?}"),
    }
}

fn setting<T: std::str::FromStr>(name: &str, default: T) -> T {
    std::env::var(name).ok().and_then(|value| value.parse().ok()).unwrap_or(default)
}

#[test]
fn damaged_documents_get_an_answer_each() {
    let time = Duration::from_secs_f64(setting("SOCLE_FUZZ_SECONDS", 1.0));
    let only: String = setting("SOCLE_FUZZ_FORMAT", String::new());
    let kept = std::env::var_os("SOCLE_FUZZ_DIRECTORY").map(PathBuf::from);
    let mut random = Random(setting("SOCLE_FUZZ_SEED", 42_u64).max(1));
    let engine = Engine::start();
    let mut client = engine.connect();
    for (format, files) in seeds().into_iter().filter(|(format, _)| only.is_empty() || *format == only) {
        let mut outcomes: BTreeMap<String, usize> = BTreeMap::new();
        let begun = Instant::now();
        while begun.elapsed() < time {
            let (seed, other) = (&files[random.below(files.len())], &files[random.below(files.len())]);
            let member = if random.below(2) == 0 { mutate_member(seed, &mut random) } else { None };
            let bytes = member.unwrap_or_else(|| {
                let mut bytes = seed.clone();
                mutate(&mut bytes, other, &mut random);
                bytes
            });
            let outcome = read(&mut client, &format!("fuzz.{format}"), &bytes);
            if let (Some(directory), true) = (&kept, outcome.starts_with("reading")) {
                let name = format!("{}-{}.{format}", outcome.replace(' ', "-"), random.next());
                std::fs::write(directory.join(name), &bytes).unwrap();
            }
            *outcomes.entry(outcome).or_default() += 1;
        }
        println!("{format}: {outcomes:?}");
        let sound = read(&mut client, "sound.txt", b"still here");
        assert_eq!(sound, "text");
    }
}
