//! The egress process with the test as its supervisor: start and end, what it serves, and backends that violate its protocol.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

mod support;

use serde::Serialize;
use socle_core::Kind;
use socle_core::endpoint::EndpointSpec;
use socle_core::generator::{Finish, Message, MessageRole};
use socle_core::protocol::{
    EGRESS_PROTOCOL_VERSION, EGRESS_SOCKET, EXIT_OTHER_VERSION, EgressReport, EgressRequest, EgressResponse,
    EgressSettings, FrameBuffer, FromEngine, MAX_EGRESS_FRAME, RUNTIME_DIRECTORY, SessionName, ToEgress, VERSION,
    VERSION_VARIABLE, encode,
};
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::{Child, Command, ExitStatus, Stdio};
use support::{PATIENCE, Scratch, Server, endpoint, eventually, hello, policy};

struct Process {
    process: Child,
    control: UnixStream,
    scratch: Scratch,
}

fn settings(scratch: &Scratch) -> EgressSettings {
    EgressSettings {
        supervisor_pid: std::process::id(),
        postmaster_pid: std::process::id(),
        restart_count: 3,
        key_directory: scratch.0.join("keys").to_string_lossy().into_owned(),
        name_servers: String::new(),
        idle_timeout_seconds: 0,
        system_identifier: 7,
        timeline: 1,
    }
}

impl Process {
    fn start() -> Self {
        Self::start_with(|settings| settings)
    }

    fn start_with(change: impl FnOnce(EgressSettings) -> EgressSettings) -> Self {
        let mut process = Self::spawn(change);
        let mut buffer = FrameBuffer::default();
        loop {
            match process.next_message(&mut buffer) {
                FromEngine::Ready => return process,
                FromEngine::Version(version) => assert_eq!(version, VERSION),
                FromEngine::Pong | FromEngine::Log(_) => {}
            }
        }
    }

    fn spawn(change: impl FnOnce(EgressSettings) -> EgressSettings) -> Self {
        let scratch = Scratch::new();
        std::fs::create_dir_all(scratch.0.join(RUNTIME_DIRECTORY)).unwrap();
        std::fs::create_dir_all(scratch.0.join("keys")).unwrap();
        let (control, theirs) = UnixStream::pair().unwrap();
        control.set_read_timeout(Some(PATIENCE)).unwrap();
        let process = Command::new(env!("CARGO_BIN_EXE_socle-egress"))
            .current_dir(&scratch.0)
            .env_clear()
            .env(VERSION_VARIABLE, VERSION)
            // Of no effect: what the environment says about proxies is not read.
            .env("http_proxy", "http://127.0.0.1:9")
            .env("ALL_PROXY", "http://127.0.0.1:9")
            .stdin(OwnedFd::from(theirs))
            .spawn()
            .unwrap();
        let settings = change(settings(&scratch));
        let mut started = Self { process, control, scratch };
        started.tell(&ToEgress::Start(settings));
        started
    }

    fn tell<T: Serialize>(&mut self, message: &T) {
        self.control.write_all(&encode(0, 0, message).unwrap()).unwrap();
    }

    fn next_message(&mut self, buffer: &mut FrameBuffer) -> FromEngine {
        loop {
            if let Some(frame) = buffer.next_frame(MAX_EGRESS_FRAME).unwrap() {
                return frame.message().unwrap();
            }
            let mut bytes = [0; 4096];
            let count = self.control.read(&mut bytes).unwrap();
            assert!(count > 0, "it closed its control socket");
            buffer.extend(&bytes[..count]);
        }
    }

    fn connect_raw(&self) -> Client {
        let stream = UnixStream::connect(self.scratch.0.join(RUNTIME_DIRECTORY).join(EGRESS_SOCKET)).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        Client { stream, buffer: FrameBuffer::default() }
    }

    fn connect(&self) -> Client {
        let mut client = self.connect_raw();
        client.send(&EgressRequest::Hello { protocol: EGRESS_PROTOCOL_VERSION, session: SessionName::default() });
        assert_eq!(client.receive(), Some(EgressResponse::Welcome { pid: self.process.id() }));
        client
    }

    fn report(&self) -> EgressReport {
        let mut client = self.connect();
        client.send(&EgressRequest::Report);
        match client.receive() {
            Some(EgressResponse::Report(report)) => *report,
            other => panic!("{other:?}"),
        }
    }

    fn wait(&mut self) -> ExitStatus {
        eventually("it ended", || self.process.try_wait().unwrap())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

struct Client {
    stream: UnixStream,
    buffer: FrameBuffer,
}

impl Client {
    fn send(&mut self, request: &EgressRequest<'_>) {
        self.stream.write_all(&encode(1, 0, request).unwrap()).unwrap();
    }

    /// The next response that is more than a sign of life; `None` at the end of the connection.
    fn receive(&mut self) -> Option<EgressResponse> {
        loop {
            if let Some(frame) = self.buffer.next_frame(MAX_EGRESS_FRAME).unwrap() {
                match frame.message().unwrap() {
                    EgressResponse::Alive => continue,
                    response => return Some(response),
                }
            }
            let mut bytes = [0; 4096];
            let count = self.stream.read(&mut bytes).unwrap_or(0);
            if count == 0 {
                return None;
            }
            self.buffer.extend(&bytes[..count]);
        }
    }

    fn ask(&mut self, endpoint: EndpointSpec) {
        self.send(&EgressRequest::Generate {
            endpoint: Box::new(endpoint),
            corpora: policy(&["e"]),
            messages: vec![Message { role: MessageRole::User, content: "Hi" }],
            max_tokens: 8,
            temperature: 0.0,
            seed: None,
            stop: vec![],
        });
    }
}

#[test]
fn it_ends_with_its_supervisor_and_serves_no_other() {
    let mut process = Process::start();
    process.control.shutdown(std::net::Shutdown::Both).unwrap();
    assert_eq!(process.wait().code(), Some(1));
    let mut process = Process::spawn(|settings| EgressSettings { supervisor_pid: 1, ..settings });
    assert_eq!(process.wait().code(), Some(1));
}

#[test]
fn it_leaves_a_supervisor_of_another_version() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_socle-egress"));
    command.env(VERSION_VARIABLE, "0.3.0").stdin(Stdio::null());
    assert_eq!(command.output().unwrap().status.code(), Some(EXIT_OTHER_VERSION));
}

#[test]
fn it_leaves_when_it_is_told_to_is_idle_or_cannot_read_new_keys() {
    let mut process = Process::start();
    Command::new("kill").arg(process.process.id().to_string()).status().unwrap();
    assert_eq!(process.wait().code(), Some(0));
    let mut process = Process::start_with(|settings| EgressSettings { idle_timeout_seconds: 1, ..settings });
    assert_eq!(process.wait().code(), Some(0));
    let mut process = Process::start();
    let keys = process.scratch.0.join("keys");
    std::fs::rename(&keys, process.scratch.0.join("old")).unwrap();
    std::fs::create_dir(&keys).unwrap();
    assert_eq!(process.wait().code(), Some(0));
}

#[test]
fn it_serves_a_request_and_says_what_it_did() {
    let server = Server::new(hello);
    let mut process = Process::start();
    let mut buffer = FrameBuffer::default();
    process.tell(&ToEgress::Ping);
    assert_eq!(process.next_message(&mut buffer), FromEngine::Pong);
    let mut client = process.connect();
    client.ask(endpoint(&server.url()));
    let responses: Vec<EgressResponse> = std::iter::from_fn(|| client.receive()).collect();
    let text = |text: &str| EgressResponse::Text(text.to_string());
    let end = EgressResponse::Generated { prompt_tokens: Some(5), answer_tokens: Some(2), finish: Finish::Stop };
    assert_eq!(responses, [text("Hello"), text(" there"), end]);
    let report = process.report();
    assert_eq!((report.pid, report.restart_count, report.running), (process.process.id(), 3, 0));
    let used = &report.endpoints[0];
    assert_eq!((used.name.as_str(), used.request_count, used.failure_count), ("e", 1, 0));
    let mut client = process.connect();
    client.ask(EndpointSpec { name: "f".into(), ..endpoint(&server.url()) });
    match client.receive() {
        Some(EgressResponse::Failed { error }) => assert_eq!(error.kind, Kind::NotPermitted),
        other => panic!("{other:?}"),
    }
    assert_eq!(server.request_count(), 1);
}

#[test]
fn it_is_confined_and_first_to_go() {
    let process = Process::start();
    let directory = format!("/proc/{}", process.process.id());
    assert_eq!(std::fs::read_to_string(format!("{directory}/oom_score_adj")).unwrap().trim(), "1000");
    let status = std::fs::read_to_string(format!("{directory}/status")).unwrap();
    assert!(status.contains("Seccomp:\t2") && status.contains("NoNewPrivs:\t1"), "{status}");
    let report = process.report();
    assert!(report.network.starts_with("TCP connections of its own only"), "{report:?}");
}

#[test]
fn a_backend_that_breaks_the_protocol_is_left() {
    let process = Process::start();
    let mut client = process.connect_raw();
    client.send(&EgressRequest::Report);
    assert_eq!(client.receive(), None, "before the greeting");
    let mut client = process.connect_raw();
    client.send(&EgressRequest::Hello { protocol: EGRESS_PROTOCOL_VERSION + 1, session: SessionName::default() });
    assert!(
        matches!(client.receive(), Some(EgressResponse::Failed { error }) if error.kind == Kind::EngineUnavailable)
    );
    let mut client = process.connect();
    client.stream.write_all(&[0xff; 100]).unwrap();
    assert_eq!(client.receive(), None, "a frame without an end");
    let mut client = process.connect();
    client.stream.write_all(&[2, 0, 0, 0, 1, 0, 0, 0, 0, 99, 99]).unwrap();
    assert!(matches!(client.receive(), Some(EgressResponse::Failed { error }) if error.kind == Kind::Bug));
    process.connect();
}

#[test]
fn silent_servers_hold_up_their_own_requests_only() {
    let silent = Server::new(|_| std::thread::sleep(PATIENCE));
    let server = Server::new(hello);
    let process = Process::start();
    let waiting: Vec<Client> = (0..15)
        .map(|_| {
            let mut client = process.connect();
            client.ask(endpoint(&silent.url()));
            client
        })
        .collect();
    eventually("all are waited for", || (process.report().running == 15).then_some(()));
    let mut client = process.connect();
    client.ask(endpoint(&server.url()));
    assert_eq!(client.receive(), Some(EgressResponse::Text("Hello".into())));
    drop(waiting);
    eventually("nothing is waited for", || (process.report().running == 0).then_some(()));
    assert_eq!(process.report().endpoints[0].failure_count, 15);
}

#[test]
fn what_it_is_told_is_in_the_ledger_and_what_only_it_writes_nobody_tells() {
    let process = Process::start();
    let mut client = process.connect();
    let tell = |kind: &str, fields: &str| EgressRequest::Append { kind: kind.into(), fields: fields.into() };
    for number in 2..=3 {
        client.send(&tell("answer", "{\"b\":1,\"a\":[\"x\"]}"));
        match client.receive() {
            Some(EgressResponse::Appended { number: found, .. }) => assert_eq!(found, number),
            other => panic!("{other:?}"),
        }
    }
    for (kind, fields) in [("request", "{}"), ("segment", "{}"), ("", "{}"), ("answer", "[]"), ("answer", "no JSON")] {
        client.send(&tell(kind, fields));
        match client.receive() {
            Some(EgressResponse::Failed { error }) => assert_eq!(error.kind, Kind::InvalidArgument, "{kind} {fields}"),
            other => panic!("{other:?}"),
        }
    }
    let report = process.report();
    let chain = process.scratch.0.join("socle/ledger").join(report.ledger_origin.unwrap());
    let segment = std::fs::read_dir(chain).unwrap().next().unwrap().unwrap().path();
    let text = std::fs::read_to_string(segment).unwrap();
    assert_eq!((text.lines().count(), report.ledger_number, report.ledger_failure), (3, 3, None));
    assert!(text.contains("\"data\":{\"a\":[\"x\"],\"b\":1}"), "{text}");
    let key = process.scratch.0.join("socle/ledger.key");
    let mode = std::os::unix::fs::MetadataExt::mode(&std::fs::metadata(key).unwrap());
    assert_eq!(mode & 0o777, 0o600);
    client.send(&EgressRequest::Checkpoint);
    match client.receive() {
        Some(EgressResponse::Checkpoint(text)) => assert!(text.contains("\n3\n"), "{text}"),
        other => panic!("{other:?}"),
    }
}
