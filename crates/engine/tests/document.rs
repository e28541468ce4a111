//! Documents through the engine's socket, and the processes that read them.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

mod support;

use socle_core::document::{Document, ExtractLimits};
use socle_core::protocol::{Request, Response};
use socle_core::{Error, Kind, Result};
use support::{Client, Engine};

const LIMITS: ExtractLimits =
    ExtractLimits { seconds: 60, memory_bytes: 1 << 30, text_bytes: 512 << 20, recognition_seconds: 0 };

fn request(bytes: &[u8], limits: ExtractLimits) -> Request<'_> {
    Request::Extract { media_type: Some("text/plain"), name: None, limits, bulk: false, ocr: None, bytes }
}

fn answer(answers: Option<Response>) -> Result<Document> {
    match answers {
        Some(Response::Extracted(document)) => Ok(*document),
        Some(Response::Failed { error, .. }) => Err(error),
        other => panic!("{other:?}"),
    }
}

fn read(client: &mut Client, bytes: &[u8], limits: ExtractLimits) -> Result<Document> {
    answer(client.call(&request(bytes, limits)).pop())
}

/// A document that takes long to read.
fn long() -> Vec<u8> {
    "Der Server wird aus seiner Sicherung wiederhergestellt.\n\n".repeat(1_500_000).into_bytes()
}

/// The child processes of `parent` with this name.
fn children(parent: u32, name: &str) -> Vec<u32> {
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    let pids = processes.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    pids.filter(|pid| {
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        let field = |name: &str| status.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
        field("Name:") == Some(name) && field("PPid:") == Some(parent.to_string().as_str())
    })
    .collect()
}

fn fork_server(engine: &Engine) -> u32 {
    // It has its name a moment after the engine may be ready.
    let found = || children(engine.process.id(), "socle documents").first().copied();
    support::eventually("a fork server", found)
}

fn reader(engine: &Engine) -> u32 {
    let fork_server = fork_server(engine);
    support::eventually("a reader", || children(fork_server, "socle reader").first().copied())
}

fn signal(pid: u32, signal: &str) {
    assert!(std::process::Command::new("kill").args([signal, &pid.to_string()]).status().unwrap().success());
}

/// The error of a document whose reader receives this signal while it reads.
fn error_after(engine: &Engine, client: &mut Client, sent: &str, limits: ExtractLimits) -> Error {
    let document = long();
    let id = client.send(0, &request(&document, limits));
    signal(reader(engine), sent);
    loop {
        let (of, response) = client.receive().unwrap();
        if of == id && response.is_last() {
            return answer(Some(response)).map(|document| document.markdown.len()).unwrap_err();
        }
    }
}

#[test]
fn a_document_becomes_text_and_its_reader_is_gone() {
    let engine = Engine::start();
    let mut client = engine.connect();
    let document = read(&mut client, "Ein Satz über Straßen.".as_bytes(), LIMITS).unwrap();
    assert_eq!(document.markdown, "Ein Satz über Straßen.");
    assert_eq!(document.metadata.media_type, "text/plain");
    let fork_server = fork_server(&engine);
    support::eventually("no reader", || children(fork_server, "socle reader").is_empty().then_some(()));
}

#[test]
fn a_reader_that_crashes_hangs_or_swells_costs_its_document_one_error() {
    let engine = Engine::start();
    let mut client = engine.connect();
    let error = error_after(&engine, &mut client, "-KILL", LIMITS);
    assert_eq!((error.kind, error.message.as_str()), (Kind::ExtractionFailed, "reading the document crashed"));
    assert_eq!(error.detail.as_deref(), Some("Its process was ended by signal 9."));
    let error = error_after(&engine, &mut client, "-STOP", ExtractLimits { seconds: 1, ..LIMITS });
    assert_eq!(error.message, "reading the document took too long");
    assert_eq!(error.detail.as_deref(), Some("It was ended after 1 s."));
    // The kernel sends this signal to a reader that exceeds its processor time; see the limits below.
    let error = error_after(&engine, &mut client, "-XCPU", LIMITS);
    assert_eq!(error.message, "reading the document took too long");
    let error = read(&mut client, &long(), ExtractLimits { memory_bytes: 128 << 20, ..LIMITS })
        .map(|document| document.markdown.len())
        .unwrap_err();
    assert_eq!(error.message, "reading the document takes too much memory");
    assert!(error.hint.unwrap().contains("socle.extract_memory_limit"));
    let error = read(&mut client, &long(), ExtractLimits { text_bytes: 1 << 20, ..LIMITS })
        .map(|document| document.markdown.len())
        .unwrap_err();
    assert_eq!(error.kind, Kind::InputTooLong);
    assert_eq!(read(&mut client, b"still here", LIMITS).unwrap().markdown, "still here");
}

#[test]
fn a_reader_has_the_limits_that_were_asked_for() {
    let engine = Engine::start();
    let mut client = engine.connect();
    let document = long();
    client.send(0, &request(&document, ExtractLimits { seconds: 7, ..LIMITS }));
    let reader = reader(&engine);
    // Its limits are set before it reads anything, and it reads until it is stopped.
    let limits = support::eventually("limits", || {
        let limits = std::fs::read_to_string(format!("/proc/{reader}/limits")).unwrap_or_default();
        let limits: Vec<String> =
            limits.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
        limits.contains(&"Max cpu time 7 8 seconds".to_string()).then_some(limits)
    });
    let memory = LIMITS.memory_bytes;
    for limit in [
        "Max core file size 0 0 bytes".to_string(),
        "Max file size 0 0 bytes".to_string(),
        format!("Max address space {memory} {memory} bytes"),
    ] {
        assert!(limits.contains(&limit), "{limit}: {limits:?}");
    }
}

#[test]
fn a_reader_that_nobody_waits_for_is_ended() {
    let engine = Engine::start();
    let mut client = engine.connect();
    let document = long();
    client.send(0, &request(&document, LIMITS));
    signal(reader(&engine), "-STOP");
    drop(client);
    let fork_server = fork_server(&engine);
    support::eventually("no reader", || children(fork_server, "socle reader").is_empty().then_some(()));
}

#[test]
fn an_engine_without_its_fork_server_makes_way_for_another() {
    let mut engine = Engine::start();
    let mut client = engine.connect();
    signal(fork_server(&engine), "-KILL");
    assert_eq!(client.receive().unwrap(), (0, Response::Goodbye));
    assert!(engine.process.wait().unwrap().success());
}

#[test]
fn readers_die_with_the_engine() {
    let engine = Engine::start();
    let mut client = engine.connect();
    let document = long();
    client.send(0, &request(&document, LIMITS));
    let (fork_server, reader) = (fork_server(&engine), reader(&engine));
    signal(reader, "-STOP");
    drop(engine);
    for pid in [fork_server, reader] {
        support::eventually("an end", || {
            let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
            (status.is_empty() || status.contains("State:\tZ")).then_some(())
        });
    }
}
