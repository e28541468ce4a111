//! An engine whose supervisor is the test, and a client that sends requests and returns the responses.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs, dead_code)]

pub mod onnx;
pub mod table;

use serde::Serialize;
use socle_core::model::{Inspection, ModelOverrides, ModelSpec};
use socle_core::protocol::{
    EngineSettings, FrameBuffer, FromEngine, MAX_FRAME, PROTOCOL_VERSION, RUNTIME_DIRECTORY, Request, Response, Role,
    SOCKET_NAME, ToEngine, VERSION, VERSION_VARIABLE, encode,
};
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// Where `make` has put the models.
pub fn models() -> PathBuf {
    PathBuf::from(std::env::var_os("SOCLE_MODELS").expect("run the tests with \"make test\", which sets SOCLE_MODELS"))
}

pub fn onnxruntime() -> String {
    std::env::var("SOCLE_ONNXRUNTIME").expect("run the tests with \"make test\", which sets SOCLE_ONNXRUNTIME")
}

/// Longest wait of a test for anything: far more than it takes on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(60);

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

pub const MINILM: &str = "all-minilm-l6-v2";
pub const BGE: &str = "bge-small-en-v1.5";
pub const RERANKER: &str = "ms-marco-minilm-l12-v2";
pub const COLBERT: &str = "answerai-colbert-small-v1";
pub const MULTILINGUAL: &str = "use-multilingual-v3";

/// A directory that is removed when it is dropped.
pub struct Scratch(pub PathBuf);

impl Scratch {
    pub fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("socle-test-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
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

pub struct Engine {
    pub process: Child,
    pub control: UnixStream,
    pub scratch: Scratch,
    pub logged: Vec<String>,
}

pub fn settings() -> EngineSettings {
    EngineSettings {
        supervisor_pid: std::process::id(),
        postmaster_pid: std::process::id(),
        restart_count: 0,
        threads: 2,
        memory_limit_bytes: 2 << 30,
        batch_tokens: 1024,
        model_directory: models().to_string_lossy().into_owned(),
        onnxruntime_library: onnxruntime(),
    }
}

impl Engine {
    pub fn start() -> Self {
        Self::start_with(&settings())
    }

    pub fn start_with(settings: &EngineSettings) -> Self {
        Self::start_in(Scratch::new(), settings)
    }

    /// An engine with this current directory.
    pub fn start_in(scratch: Scratch, settings: &EngineSettings) -> Self {
        let mut engine = Self::spawn(scratch, settings);
        let mut buffer = FrameBuffer::default();
        let begun = Instant::now();
        loop {
            assert!(begun.elapsed() < PATIENCE, "the engine did not become ready");
            match engine.next_message(&mut buffer) {
                FromEngine::Ready => return engine,
                FromEngine::Log(line) => engine.logged.push(line),
                FromEngine::Version(version) => assert_eq!(version, VERSION),
                FromEngine::Pong => {}
            }
        }
    }

    /// The parent-death signal comes when the *thread* that forks ends, so tests must not start engines on threads that
    /// end before them.
    pub fn spawn(scratch: Scratch, settings: &EngineSettings) -> Self {
        std::fs::create_dir_all(scratch.0.join(RUNTIME_DIRECTORY)).unwrap();
        let (control, theirs) = UnixStream::pair().unwrap();
        control.set_read_timeout(Some(PATIENCE)).unwrap();
        let process = Command::new(env!("CARGO_BIN_EXE_socle-engine"))
            .current_dir(&scratch.0)
            .env(VERSION_VARIABLE, VERSION)
            .stdin(OwnedFd::from(theirs))
            .spawn()
            .unwrap();
        let mut engine = Self { process, control, scratch, logged: Vec::new() };
        engine.tell(&ToEngine::Start(settings.clone()));
        engine
    }

    pub fn tell<T: Serialize>(&mut self, message: &T) {
        self.control.write_all(&encode(0, 0, message).unwrap()).unwrap();
    }

    pub fn next_message(&mut self, buffer: &mut FrameBuffer) -> FromEngine {
        loop {
            if let Some(frame) = buffer.next_frame(MAX_FRAME).unwrap() {
                return frame.message().unwrap();
            }
            let mut bytes = [0; 4096];
            let count = self.control.read(&mut bytes).unwrap();
            assert!(count > 0, "the engine closed its control socket");
            buffer.extend(&bytes[..count]);
        }
    }

    pub fn socket(&self) -> PathBuf {
        self.scratch.0.join(RUNTIME_DIRECTORY).join(SOCKET_NAME)
    }

    pub fn connect(&self) -> Client {
        let mut client = Client::raw(&self.socket());
        match client.call(&Request::Hello { protocol: PROTOCOL_VERSION }).pop() {
            Some(Response::Welcome { pid }) => assert_eq!(pid, self.process.id()),
            other => panic!("no welcome but {other:?}"),
        }
        client
    }

    pub fn signal(&self, signal: i32) {
        let status =
            Command::new("kill").arg(format!("-{signal}")).arg(self.process.id().to_string()).status().unwrap();
        assert!(status.success());
    }

    pub fn report(&self) -> socle_core::protocol::EngineReport {
        match self.connect().call(&Request::Report).pop() {
            Some(Response::Report(report)) => *report,
            other => panic!("no report but {other:?}"),
        }
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
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

    pub fn send(&mut self, flags: u8, request: &Request<'_>) -> u32 {
        let id = self.next_id;
        self.next_id += 1;
        self.stream.write_all(&encode(id, flags, request).unwrap()).unwrap();
        id
    }

    /// The next frame, or `None` at the end of the stream.
    pub fn receive(&mut self) -> Option<(u32, Response)> {
        loop {
            if let Some(frame) = self.incoming.next_frame(MAX_FRAME).unwrap() {
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

    /// All responses to a request except for keep-alives.
    pub fn call(&mut self, request: &Request<'_>) -> Vec<Response> {
        let id = self.send(0, request);
        let mut answers = Vec::new();
        let begun = Instant::now();
        loop {
            // Keep-alives alone are no response.
            assert!(begun.elapsed() < PATIENCE * 10, "there is no answer");
            let (of, response) = self.receive().expect("the engine closed the connection");
            if of != id {
                assert_eq!(response, Response::Alive);
                continue;
            }
            let more = !response.is_last();
            answers.push(response);
            if !more {
                return answers;
            }
        }
    }

    pub fn inspect(&mut self, directory: &str, overrides: ModelOverrides) -> socle_core::Result<ModelSpec> {
        self.inspection(directory, overrides).map(|inspection| inspection.model)
    }

    pub fn inspection(&mut self, directory: &str, overrides: ModelOverrides) -> socle_core::Result<Inspection> {
        match self.call(&Request::Inspect { name: directory, directory, overrides }).pop() {
            Some(Response::Inspected(inspection)) => Ok(*inspection),
            Some(Response::Failed { error, .. }) => Err(error),
            other => panic!("{other:?}"),
        }
    }

    pub fn model(&mut self, directory: &str) -> ModelSpec {
        self.inspect(directory, ModelOverrides::default()).unwrap()
    }

    pub fn embed(&mut self, model: &ModelSpec, contents: &[&str]) -> socle_core::Result<Vec<Vec<f32>>> {
        self.embed_as(model, Role::Passage, false, contents)
    }

    pub fn embed_as(
        &mut self,
        model: &ModelSpec,
        role: Role,
        truncate: bool,
        contents: &[&str],
    ) -> socle_core::Result<Vec<Vec<f32>>> {
        let request =
            Request::Embed { model: model.clone(), role, truncate, heads: Vec::new(), contents: contents.to_vec() };
        match self.call(&request).pop() {
            Some(Response::Vectors(values)) => {
                assert_eq!(values.len(), contents.len() * model.dimensions as usize);
                Ok(values.chunks(model.dimensions as usize).map(<[f32]>::to_vec).collect())
            }
            Some(Response::Failed { error, .. }) => Err(error),
            other => panic!("{other:?}"),
        }
    }

    pub fn rerank(&mut self, model: &ModelSpec, query: &str, documents: &[&str]) -> Vec<f32> {
        let request = Request::Rerank { model: model.clone(), truncate: false, query, documents: documents.to_vec() };
        match self.call(&request).pop() {
            Some(Response::Scores(scores)) => scores,
            other => panic!("{other:?}"),
        }
    }
}

pub fn max_difference(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}
