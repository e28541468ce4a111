//! A generator whose supervisor is the test, and a client that sends requests and returns the responses.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs, dead_code)]

use serde::Serialize;
use socle_core::generator::{
    Constraint, Finish, GeneratorInspection, GeneratorOverrides, GeneratorSpec, Message, MessageRole,
};
use socle_core::protocol::{
    FrameBuffer, FromEngine, GENERATOR_PROTOCOL_VERSION, GENERATOR_SOCKET, GeneratorReport, GeneratorRequest,
    GeneratorResponse, GeneratorSettings, MAX_GENERATOR_FRAME, RUNTIME_DIRECTORY, ToGenerator, VERSION,
    VERSION_VARIABLE, encode,
};
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// Longest wait of a test for anything: far more than it takes on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(120);

pub const SMOLLM2: &str = "smollm2-135m-instruct/model.gguf";

/// Where `make` has put the models.
pub fn models() -> PathBuf {
    PathBuf::from(std::env::var_os("SOCLE_MODELS").expect("run the tests with \"make test\", which sets SOCLE_MODELS"))
}

pub fn llama() -> String {
    std::env::var("SOCLE_LLAMA").expect("run the tests with \"make test\", which sets SOCLE_LLAMA")
}

/// Repeats `attempt` until it has a result, with pauses.
pub fn eventually<T>(what: &str, mut attempt: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(result) = attempt() {
            return result;
        }
        assert!(begun.elapsed() < PATIENCE, "it never came that {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// A directory that is removed when it is dropped.
pub struct Scratch(pub PathBuf);

impl Scratch {
    pub fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("socle-generator-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

pub struct Generator {
    pub process: Child,
    pub control: UnixStream,
    pub scratch: Scratch,
}

pub fn settings() -> GeneratorSettings {
    GeneratorSettings {
        supervisor_pid: std::process::id(),
        postmaster_pid: std::process::id(),
        restart_count: 0,
        threads: 1,
        memory_limit_bytes: 2 << 30,
        model_directory: models().to_string_lossy().into_owned(),
        library_directory: llama(),
        idle_timeout_seconds: 0,
    }
}

impl Generator {
    pub fn start() -> Self {
        Self::start_with(&settings())
    }

    pub fn start_with(settings: &GeneratorSettings) -> Self {
        let mut generator = Self::spawn(Scratch::new(), settings);
        let mut buffer = FrameBuffer::default();
        loop {
            match generator.next_message(&mut buffer) {
                FromEngine::Ready => return generator,
                FromEngine::Version(version) => assert_eq!(version, VERSION),
                FromEngine::Pong | FromEngine::Log(_) => {}
            }
        }
    }

    pub fn spawn(scratch: Scratch, settings: &GeneratorSettings) -> Self {
        std::fs::create_dir_all(scratch.0.join(RUNTIME_DIRECTORY)).unwrap();
        let (control, theirs) = UnixStream::pair().unwrap();
        control.set_read_timeout(Some(PATIENCE)).unwrap();
        let process = Command::new(env!("CARGO_BIN_EXE_socle-generator"))
            .current_dir(&scratch.0)
            .env_clear()
            .env(VERSION_VARIABLE, VERSION)
            .stdin(OwnedFd::from(theirs))
            .spawn()
            .unwrap();
        let mut generator = Self { process, control, scratch };
        generator.tell(&ToGenerator::Start(settings.clone()));
        generator
    }

    pub fn tell<T: Serialize>(&mut self, message: &T) {
        self.control.write_all(&encode(0, 0, message).unwrap()).unwrap();
    }

    pub fn next_message(&mut self, buffer: &mut FrameBuffer) -> FromEngine {
        loop {
            if let Some(frame) = buffer.next_frame(MAX_GENERATOR_FRAME).unwrap() {
                return frame.message().unwrap();
            }
            let mut bytes = [0; 4096];
            let count = self.control.read(&mut bytes).unwrap();
            assert!(count > 0, "the generator closed its control socket");
            buffer.extend(&bytes[..count]);
        }
    }

    pub fn socket(&self) -> PathBuf {
        self.scratch.0.join(RUNTIME_DIRECTORY).join(GENERATOR_SOCKET)
    }

    pub fn connect(&self) -> Client {
        let mut client = Client::raw(&self.socket());
        match client.call(&GeneratorRequest::Hello { protocol: GENERATOR_PROTOCOL_VERSION }).pop() {
            Some(GeneratorResponse::Welcome { pid }) => assert_eq!(pid, self.process.id()),
            other => panic!("no welcome but {other:?}"),
        }
        client
    }

    pub fn signal(&self, signal: &str) {
        let status = Command::new("kill").arg(signal).arg(self.process.id().to_string()).status().unwrap();
        assert!(status.success());
    }

    pub fn report(&self) -> GeneratorReport {
        match self.connect().call(&GeneratorRequest::Report).pop() {
            Some(GeneratorResponse::Report(report)) => *report,
            other => panic!("no report but {other:?}"),
        }
    }

    pub fn wait(&mut self) -> std::process::ExitStatus {
        eventually("the generator ended", || self.process.try_wait().unwrap())
    }
}

impl Drop for Generator {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// How an answer is asked for.
#[derive(Clone)]
pub struct Question<'a> {
    pub messages: Vec<Message<'a>>,
    pub max_tokens: u32,
    pub temperature: f32,
    pub seed: Option<u64>,
    pub stop: Vec<&'a str>,
    pub constraint: Constraint<'a>,
}

impl<'a> Question<'a> {
    pub fn new(text: &'a str, max_tokens: u32) -> Self {
        Self {
            messages: vec![Message { role: MessageRole::User, content: text }],
            max_tokens,
            temperature: 0.0,
            seed: None,
            stop: vec![],
            constraint: Constraint::None,
        }
    }

    pub fn request(&self, generator: &GeneratorSpec) -> GeneratorRequest<'a> {
        GeneratorRequest::Generate {
            generator: generator.clone(),
            messages: self.messages.clone(),
            max_tokens: self.max_tokens,
            temperature: self.temperature,
            seed: self.seed,
            stop: self.stop.clone(),
            constraint: self.constraint.clone(),
        }
    }
}

/// An answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    pub text: String,
    pub prompt_tokens: u32,
    pub answer_tokens: u32,
    pub finish: Finish,
}

pub struct Client {
    pub stream: UnixStream,
    incoming: FrameBuffer,
    next_id: u32,
}

impl Client {
    pub fn raw(socket: &Path) -> Self {
        let stream = UnixStream::connect(socket).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        Self { stream, incoming: FrameBuffer::default(), next_id: 1 }
    }

    pub fn send(&mut self, request: &GeneratorRequest<'_>) -> u32 {
        let id = self.next_id;
        self.next_id += 1;
        self.stream.write_all(&encode(id, 0, request).unwrap()).unwrap();
        id
    }

    /// The next frame, or `None` at the end of the stream.
    pub fn receive(&mut self) -> Option<(u32, GeneratorResponse)> {
        loop {
            if let Some(frame) = self.incoming.next_frame(MAX_GENERATOR_FRAME).unwrap() {
                return Some((frame.id, frame.message().unwrap()));
            }
            let mut bytes = [0; 65536];
            match self.stream.read(&mut bytes) {
                Ok(0) => return None,
                Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => return None,
                Ok(count) => self.incoming.extend(&bytes[..count]),
                Err(error) => panic!("{error}"),
            }
        }
    }

    /// The error of a request that was refused, if it is here already.
    pub fn try_failure(&mut self) -> Option<socle_core::Error> {
        let mut bytes = [0; 65536];
        if let Ok(count) = self.stream.read(&mut bytes) {
            self.incoming.extend(&bytes[..count]);
        }
        while let Some(frame) = self.incoming.next_frame(MAX_GENERATOR_FRAME).unwrap() {
            if let GeneratorResponse::Failed { error } = frame.message().unwrap() {
                return Some(error);
            }
        }
        None
    }

    /// All responses to a request except for keep-alives.
    pub fn call(&mut self, request: &GeneratorRequest<'_>) -> Vec<GeneratorResponse> {
        let id = self.send(request);
        let mut answers = Vec::new();
        loop {
            let (of, response) = self.receive().expect("the generator closed the connection");
            if of != id {
                assert_eq!(response, GeneratorResponse::Alive);
                continue;
            }
            let more = !response.is_last();
            answers.push(response);
            if !more {
                return answers;
            }
        }
    }

    pub fn inspect(&mut self, file: &str, overrides: GeneratorOverrides) -> socle_core::Result<GeneratorInspection> {
        match self.call(&GeneratorRequest::Inspect { name: "g", file, overrides }).pop() {
            Some(GeneratorResponse::Inspected(inspection)) => Ok(*inspection),
            Some(GeneratorResponse::Failed { error }) => Err(error),
            other => panic!("{other:?}"),
        }
    }

    pub fn smollm2(&mut self) -> GeneratorSpec {
        self.inspect(SMOLLM2, GeneratorOverrides::default()).unwrap().spec
    }

    pub fn ask(&mut self, generator: &GeneratorSpec, question: &Question<'_>) -> socle_core::Result<Answer> {
        let mut text = String::new();
        for response in self.call(&question.request(generator)) {
            match response {
                GeneratorResponse::Text(piece) => {
                    assert!(!piece.is_empty());
                    text += &piece;
                }
                GeneratorResponse::Generated { prompt_tokens, answer_tokens, finish } => {
                    return Ok(Answer { text, prompt_tokens, answer_tokens, finish });
                }
                GeneratorResponse::Failed { error } => return Err(error),
                other => panic!("{other:?}"),
            }
        }
        panic!("there is no summary");
    }
}
