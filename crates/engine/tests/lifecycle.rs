//! Start and end of the engine, and clients that violate its protocol.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

mod support;

use rustix::process::{Resource, Rlimit, getrlimit, prlimit, setrlimit};
use socle_core::protocol::{
    EXIT_OTHER_VERSION, EngineSettings, FrameBuffer, FromEngine, PROTOCOL_VERSION, Request, Response, Role, ToEngine,
    VERSION_VARIABLE, encode,
};
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::process::ExitStatus;
use std::time::{Duration, Instant};
use support::{Client, Engine, PATIENCE, Scratch, settings};

fn wait(engine: &mut Engine) -> ExitStatus {
    let begun = Instant::now();
    loop {
        if let Some(status) = engine.process.try_wait().unwrap() {
            return status;
        }
        assert!(begun.elapsed() < PATIENCE, "the engine lives on");
        std::thread::sleep(Duration::from_millis(2));
    }
}

#[test]
fn it_ends_with_its_supervisor() {
    let mut engine = Engine::start();
    engine.control.shutdown(std::net::Shutdown::Both).unwrap();
    assert_eq!(wait(&mut engine).code(), Some(1));
}

#[test]
fn it_ends_with_the_postmaster_even_if_the_supervisor_hangs() {
    let mut postmaster = std::process::Command::new("sleep").arg("100").spawn().unwrap();
    let mut engine = Engine::start_with(&EngineSettings { postmaster_pid: postmaster.id(), ..settings() });
    postmaster.kill().unwrap();
    postmaster.wait().unwrap();
    assert_eq!(wait(&mut engine).code(), Some(1));
}

#[test]
fn it_serves_no_one_but_its_own_supervisor() {
    let mut engine = Engine::spawn(Scratch::new(), &EngineSettings { supervisor_pid: 1, ..settings() });
    assert_eq!(wait(&mut engine).code(), Some(1));
    assert!(!engine.socket().exists());
}

#[test]
fn it_leaves_a_supervisor_of_another_version() {
    for version in [Some("0.3.0"), None] {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_socle-engine"));
        command.env_remove(VERSION_VARIABLE).stdin(std::process::Stdio::null()).stderr(std::process::Stdio::piped());
        version.map(|version| command.env(VERSION_VARIABLE, version));
        let output = command.output().unwrap();
        assert_eq!(output.status.code(), Some(EXIT_OTHER_VERSION));
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(said.contains(&format!("supervisor of version {}", version.unwrap_or("0.1.0"))), "{said}");
    }
}

#[test]
fn it_answers_pings_and_ignores_what_the_postmaster_sends_to_the_group() {
    let mut engine = Engine::start();
    for signal in [libc::SIGINT, libc::SIGHUP, libc::SIGUSR1, libc::SIGUSR2, libc::SIGALRM] {
        engine.signal(signal);
    }
    engine.tell(&ToEngine::Ping);
    assert_eq!(engine.next_message(&mut FrameBuffer::default()), FromEngine::Pong);
}

#[test]
fn told_to_leave_it_hands_back_what_it_has_not_done() {
    let mut engine = Engine::start();
    let mut client = engine.connect();
    let model = client.model(support::MINILM);
    let texts = vec!["a text that takes its time among many others of its kind"; 3000];
    client.send(0, &Request::Embed { model, role: Role::Passage, truncate: false, heads: Vec::new(), contents: texts });
    let mut idle = engine.connect();
    engine.signal(libc::SIGTERM);
    assert_eq!(client.receive(), Some((0, Response::Goodbye)));
    assert_eq!(client.receive(), None);
    assert_eq!(idle.receive(), Some((0, Response::Goodbye)));
    assert_eq!(wait(&mut engine).code(), Some(0));
}

#[test]
fn an_immediate_stop_is_immediate() {
    let mut engine = Engine::start();
    engine.signal(libc::SIGQUIT);
    assert_eq!(wait(&mut engine).code(), Some(2));
}

#[test]
fn a_successor_waits_for_the_lock_and_takes_over_the_socket() {
    let mut first = Engine::start();
    let scratch = Scratch(first.scratch.0.clone());
    let mut second = Engine::spawn(scratch, &settings());
    // The second engine most likely waits for the lock by now.
    std::thread::sleep(Duration::from_millis(200));
    assert_eq!(first.connect().call(&Request::Report).len(), 1, "the first still serves");
    first.process.kill().unwrap();
    let mut buffer = FrameBuffer::default();
    while second.next_message(&mut buffer) != FromEngine::Ready {}
    drop(second.connect());
}

#[test]
fn it_keeps_no_descriptor_and_is_first_to_go() {
    let engine = Engine::start();
    let process = format!("/proc/{}", engine.process.id());
    let score = std::fs::read_to_string(format!("{process}/oom_score_adj")).unwrap();
    assert_eq!(score.trim(), "1000");
    let status = std::fs::read_to_string(format!("{process}/status")).unwrap();
    assert!(status.contains("Seccomp:\t2") && status.contains("NoNewPrivs:\t1"), "{status}");
    let maps = std::fs::read_to_string(format!("{process}/maps")).unwrap();
    assert!(!maps.contains("libonnxruntime"), "loaded at first need only");
    let report = engine.report();
    assert!(report.network.starts_with("closed"), "{}", report.network);
}

#[test]
fn without_a_number_it_has_a_thread_for_each_processor_it_may_use() {
    let engine = Engine::start_with(&EngineSettings { threads: 0, ..settings() });
    let processors = std::thread::available_parallelism().unwrap();
    assert_eq!(engine.report().thread_count as usize, processors.get());
}

#[test]
fn it_uses_every_descriptor_it_may_have_and_serves_the_next_when_one_is_free() {
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: Some(256), ..limit }).unwrap();
    let engine = Engine::start();
    let pid = rustix::process::Pid::from_raw(engine.process.id().cast_signed());
    let few = Rlimit { current: Some(32), maximum: Some(32) };
    assert_eq!(prlimit(pid, Resource::Nofile, few).unwrap(), Rlimit { current: limit.maximum, ..limit });

    let mut clients: Vec<Client> = (0..40).map(|_| Client::raw(&engine.socket())).collect();
    let hello = Request::Hello { protocol: PROTOCOL_VERSION };
    for client in &mut clients {
        client.send(0, &hello);
    }
    let last = clients.pop().unwrap();
    last.stream.set_read_timeout(Some(Duration::from_millis(500))).unwrap();
    assert!((&last.stream).read(&mut [0; 64]).is_err(), "there is no descriptor for it");
    drop(clients);
    last.stream.set_read_timeout(Some(PATIENCE)).unwrap();
    assert!((&last.stream).read(&mut [0; 64]).unwrap() > 0, "welcomed");
}

#[test]
fn strangers_to_the_protocol_are_shown_the_door() {
    let engine = Engine::start();
    let mut witness = engine.connect();
    let closed = |bytes: &[u8]| {
        let mut stream = UnixStream::connect(engine.socket()).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.write_all(bytes).unwrap();
        let mut rest = Vec::new();
        // Closing a socket with unread bytes resets the connection.
        if let Err(error) = stream.read_to_end(&mut rest) {
            assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset, "it is kept open");
        }
        rest
    };
    let hello = encode(0, 0, &Request::Hello { protocol: PROTOCOL_VERSION }).unwrap();
    let early = encode(1, 0, &Request::Report).unwrap();
    assert!(closed(&early).is_empty(), "work before hello");
    assert!(closed(b"GET / HTTP/1.1\r\n\r\n").is_empty());
    assert!(closed(&[0xff; 64]).is_empty(), "a frame of 4 GB");
    let mut huge = hello.clone();
    huge.extend([0xff, 0xff, 0xff, 0x1f, 0, 0, 0, 0, 0]);
    assert!(!closed(&huge).is_empty(), "welcomed, then a frame of 512 MB");

    let mut half = UnixStream::connect(engine.socket()).unwrap();
    half.write_all(&hello[..5]).unwrap();
    drop(half);

    let mut garbled = engine.connect();
    let mut frame = early;
    frame[9] = 0xee;
    garbled.stream.write_all(&frame).unwrap();
    assert!(matches!(garbled.receive(), Some((1, Response::Failed { .. }))), "a message of no known kind");

    let mut other = Client::raw(&engine.socket());
    let answer = other.call(&Request::Hello { protocol: PROTOCOL_VERSION + 1 }).pop();
    assert!(matches!(answer, Some(Response::Failed { error, .. }) if error.hint.is_some()));
    assert!(matches!(witness.call(&Request::Report).pop(), Some(Response::Report(_))));
}
