//! Start and end of the generator, its sandbox, clients that violate its protocol, and files that are no models.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

mod support;

use socle_core::Kind;
use socle_core::generator::GeneratorOverrides;
use socle_core::protocol::{
    EXIT_OTHER_VERSION, FrameBuffer, FromEngine, GENERATOR_PROTOCOL_VERSION, GeneratorRequest, GeneratorResponse,
    GeneratorSettings, ToGenerator, VERSION_VARIABLE, encode,
};
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use support::{Client, Generator, PATIENCE, Question, SMOLLM2, Scratch, eventually, settings};

#[test]
fn it_ends_with_its_supervisor_and_serves_no_other() {
    let mut generator = Generator::start();
    generator.control.shutdown(std::net::Shutdown::Both).unwrap();
    assert_eq!(generator.wait().code(), Some(1));
    let mut generator = Generator::spawn(Scratch::new(), &GeneratorSettings { supervisor_pid: 1, ..settings() });
    assert_eq!(generator.wait().code(), Some(1));
    assert!(!generator.socket().exists());
}

#[test]
fn it_ends_with_the_postmaster() {
    let mut postmaster = std::process::Command::new("sleep").arg("100").spawn().unwrap();
    let mut generator = Generator::start_with(&GeneratorSettings { postmaster_pid: postmaster.id(), ..settings() });
    postmaster.kill().unwrap();
    postmaster.wait().unwrap();
    assert_eq!(generator.wait().code(), Some(1));
}

#[test]
fn it_leaves_a_supervisor_of_another_version() {
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_socle-generator"));
    command.env(VERSION_VARIABLE, "0.3.0").stdin(std::process::Stdio::null());
    assert_eq!(command.output().unwrap().status.code(), Some(EXIT_OTHER_VERSION));
}

#[test]
fn told_to_leave_or_idle_it_says_goodbye() {
    let mut generator = Generator::start();
    let mut client = generator.connect();
    generator.signal("-TERM");
    assert_eq!(client.receive(), Some((0, GeneratorResponse::Goodbye)));
    assert_eq!(generator.wait().code(), Some(0));
    let mut generator = Generator::start_with(&GeneratorSettings { idle_timeout_seconds: 1, ..settings() });
    let mut client = generator.connect();
    assert_eq!(client.receive(), Some((0, GeneratorResponse::Goodbye)));
    assert_eq!(generator.wait().code(), Some(0));
}

#[test]
fn it_answers_pings_also_while_it_computes() {
    let mut generator = Generator::start();
    let mut client = generator.connect();
    let spec = client.smollm2();
    client.send(&Question::new("Write a long story of a cat.", 200).request(&spec));
    eventually("it computes", || (generator.report().running > 0).then_some(()));
    let mut buffer = FrameBuffer::default();
    for _ in 0..3 {
        generator.tell(&ToGenerator::Ping);
        assert_eq!(generator.next_message(&mut buffer), FromEngine::Pong);
    }
}

#[test]
fn it_is_confined_and_first_to_go() {
    let generator = Generator::start();
    let process = format!("/proc/{}", generator.process.id());
    assert_eq!(std::fs::read_to_string(format!("{process}/oom_score_adj")).unwrap().trim(), "1000");
    let status = std::fs::read_to_string(format!("{process}/status")).unwrap();
    assert!(status.contains("Seccomp:\t2") && status.contains("NoNewPrivs:\t1"), "{status}");
    let maps = std::fs::read_to_string(format!("{process}/maps")).unwrap();
    assert!(!maps.contains("libllama"), "loaded at first need only");
    let mut client = generator.connect();
    let spec = client.smollm2();
    let maps = std::fs::read_to_string(format!("{process}/maps")).unwrap();
    assert!(!maps.contains("libllama"), "a model is tried in another process");
    client.ask(&spec, &Question::new("Hello", 1)).unwrap();
    let report = generator.report();
    assert!(report.network.starts_with("closed"), "{}", report.network);
    assert_eq!((report.thread_count, report.connection_count), (1, 2));
    // The threads that compute leave others the processor.
    let tasks = std::fs::read_dir(format!("{process}/task")).unwrap().flatten();
    let niceness = |stat: &str| stat.rsplit_once(')').unwrap().1.split_whitespace().nth(16).unwrap().to_string();
    let decode = tasks.filter_map(|task| std::fs::read_to_string(task.path().join("stat")).ok());
    let decode: Vec<String> =
        decode.filter(|stat| stat.contains("(socle decode)")).map(|stat| niceness(&stat)).collect();
    assert_eq!(decode, ["10"]);
}

#[test]
fn strangers_to_the_protocol_are_shown_the_door() {
    let generator = Generator::start();
    let closed = |bytes: &[u8]| {
        let mut stream = UnixStream::connect(generator.socket()).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.write_all(bytes).unwrap();
        let mut rest = Vec::new();
        // Closing a socket with unread bytes resets the connection.
        if let Err(error) = stream.read_to_end(&mut rest) {
            assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset, "it is kept open");
        }
        rest
    };
    assert!(closed(&encode(1, 0, &GeneratorRequest::Report).unwrap()).is_empty(), "work before hello");
    assert!(closed(b"GET / HTTP/1.1\r\n\r\n").is_empty());
    let mut other = Client::raw(&generator.socket());
    let hello = GeneratorRequest::Hello { protocol: GENERATOR_PROTOCOL_VERSION + 1 };
    assert!(matches!(other.call(&hello).pop(), Some(GeneratorResponse::Failed { error }) if error.hint.is_some()));
    let mut garbled = generator.connect();
    let mut frame = encode(7, 0, &GeneratorRequest::Report).unwrap();
    frame[9] = 0xee;
    garbled.stream.write_all(&frame).unwrap();
    assert!(matches!(garbled.receive(), Some((7, GeneratorResponse::Failed { .. }))), "a message of no known kind");
    assert!(matches!(garbled.call(&GeneratorRequest::Report).pop(), Some(GeneratorResponse::Report(_))));
}

/// A model directory with the model, which a test may damage.
fn copied() -> (Scratch, GeneratorSettings) {
    let scratch = Scratch::new();
    std::fs::copy(support::models().join(SMOLLM2), scratch.0.join("model.gguf")).unwrap();
    let settings = GeneratorSettings { model_directory: scratch.0.to_string_lossy().into_owned(), ..settings() };
    (scratch, settings)
}

/// Overwrites bytes of a file at an offset.
fn damage(path: &Path, at: usize, bytes: &[u8]) {
    let mut content = std::fs::read(path).unwrap();
    content[at..at + bytes.len()].copy_from_slice(bytes);
    std::fs::write(path, content).unwrap();
}

#[test]
fn a_file_that_is_no_model_is_refused_and_others_are_served() {
    let (scratch, settings) = copied();
    let generator = Generator::start_with(&settings);
    let mut client = generator.connect();
    let refused = |client: &mut Client, file: &str| client.inspect(file, GeneratorOverrides::default()).unwrap_err();
    let good = client.inspect("model.gguf", GeneratorOverrides::default()).unwrap().spec;
    let model = std::fs::read(scratch.0.join("model.gguf")).unwrap();
    std::fs::write(scratch.0.join("empty.gguf"), "").unwrap();
    std::fs::write(scratch.0.join("text.gguf"), "no model").unwrap();
    std::fs::write(scratch.0.join("half.gguf"), &model[..model.len() / 2]).unwrap();
    for (at, name) in [(4, "version.gguf"), (8, "tensors.gguf"), (16, "properties.gguf"), (24, "key.gguf")] {
        std::fs::write(scratch.0.join(name), &model[..1 << 22]).unwrap();
        damage(&scratch.0.join(name), at, &[0xff; 8]);
    }
    std::os::unix::fs::symlink("/etc/passwd", scratch.0.join("link.gguf")).unwrap();
    let names = ["empty", "text", "half", "version", "tensors", "properties", "key", "link"];
    for name in names {
        let error = refused(&mut client, &format!("{name}.gguf"));
        assert_eq!(error.kind, Kind::DamagedModelFile, "{name}: {error:?}");
        assert!(error.detail.is_some(), "{name}: {error:?}");
    }
    assert_eq!(refused(&mut client, "missing.gguf").kind, Kind::MissingFile);
    assert_eq!(refused(&mut client, "../model.gguf").kind, Kind::InvalidArgument);
    client.ask(&good, &Question::new("Hello", 2)).unwrap();
}

#[test]
fn what_a_caller_states_is_checked_with_the_model() {
    let generator = Generator::start();
    let mut client = generator.connect();
    let mut inspect = |template: Option<&str>, context_tokens| {
        client.inspect(SMOLLM2, GeneratorOverrides { template: template.map(str::to_string), context_tokens })
    };
    let stated = inspect(Some("chatml"), Some(512)).unwrap();
    assert_eq!((stated.spec.context_tokens, stated.template_source.name()), (512, "stated"));
    let unknown = inspect(Some("jinja"), None).unwrap_err();
    assert!(unknown.detail.unwrap().contains("chatml, qwen3, llama2"));
    assert!(inspect(Some("gemma"), None).unwrap_err().detail.unwrap().contains("\"<end_of_turn>\""));
    for tokens in [0, 100, 8193] {
        assert_eq!(inspect(None, Some(tokens)).unwrap_err().kind, Kind::InvalidArgument);
    }
}

#[test]
fn a_file_that_changes_is_noticed() {
    let (scratch, settings) = copied();
    let generator = Generator::start_with(&settings);
    let mut client = generator.connect();
    let spec = client.inspect("model.gguf", GeneratorOverrides::default()).unwrap().spec;
    let question = Question::new("Hello", 2);
    let answer = client.ask(&spec, &question).unwrap();
    let path = scratch.0.join("model.gguf");
    let copy = scratch.0.join("copy.gguf");
    std::fs::copy(&path, &copy).unwrap();
    damage(&copy, 90_000_000, &[1, 2, 3]);
    std::fs::rename(&copy, &path).unwrap();
    let error = client.ask(&spec, &question).unwrap_err();
    assert_eq!(error.kind, Kind::DamagedModelFile);
    assert!(error.message.contains("has changed since registration"), "{error:?}");
    std::fs::remove_file(&path).unwrap();
    assert_eq!(client.ask(&spec, &question).unwrap_err().kind, Kind::MissingFile);
    std::fs::copy(support::models().join(SMOLLM2), &path).unwrap();
    assert_eq!(client.ask(&spec, &question).unwrap(), answer);
}

#[test]
fn a_model_in_two_places_is_loaded_once() {
    let (scratch, settings) = copied();
    std::fs::copy(scratch.0.join("model.gguf"), scratch.0.join("copy.gguf")).unwrap();
    let generator = Generator::start_with(&settings);
    let mut client = generator.connect();
    let mut loaded = Vec::new();
    for file in ["model.gguf", "copy.gguf", "model.gguf"] {
        let spec = client.inspect(file, GeneratorOverrides::default()).unwrap().spec;
        client.ask(&spec, &Question::new("Hello", 1)).unwrap();
        let report = generator.report();
        assert_eq!(report.generators.len(), 1);
        loaded.push(report.generators[0].loaded_at.to_bits());
    }
    assert!(loaded.iter().all(|time| *time == loaded[0]));
}

#[test]
fn a_trial_that_nobody_waits_for_ends_and_a_missing_library_is_named() {
    let generator = Generator::start();
    let trials = || {
        let processes = std::fs::read_dir("/proc").unwrap().flatten();
        let pids = processes.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
        let parent_and_name = |pid: u32| {
            let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
            let (name, rest) = stat.split_once('(')?.1.rsplit_once(')')?;
            Some((name.to_string(), rest.split_whitespace().nth(1)?.parse::<u32>().ok()?))
        };
        let all: Vec<(u32, String, u32)> =
            pids.filter_map(|pid| parent_and_name(pid).map(|(name, parent)| (pid, name, parent))).collect();
        let server = all.iter().find(|(_, name, parent)| name == "socle trials" && *parent == generator.process.id());
        let server = server.map(|(pid, _, _)| *pid);
        all.iter().filter(|(_, name, parent)| name == "socle trial" && Some(*parent) == server).count()
    };
    let mut client = generator.connect();
    client.send(&GeneratorRequest::Inspect { name: "g", file: SMOLLM2, overrides: GeneratorOverrides::default() });
    eventually("a trial", || (trials() == 1).then_some(()));
    drop(client);
    eventually("no trial", || (trials() == 0).then_some(()));
    let elsewhere = GeneratorSettings { library_directory: "/nowhere".into(), ..settings() };
    let generator = Generator::start_with(&elsewhere);
    let error = generator.connect().inspect(SMOLLM2, GeneratorOverrides::default()).unwrap_err();
    assert_eq!((error.kind, error.message.as_str()), (Kind::MissingFile, "llama.cpp is not installed"));
}
