//! The programs that the supervisor runs as its children and that sessions connect to: the engine, the generator and the
//! egress process.

use crate::pg::{backend, gucs, version};
use socle_core::Result;
use socle_core::fair_queue::message::Message;
use socle_core::protocol::{
    EGRESS_FAILURE_FILE, EGRESS_SOCKET, EgressSettings, EngineSettings, FAILURE_FILE, GENERATOR_FAILURE_FILE,
    GENERATOR_SOCKET, GeneratorSettings, RUNTIME_DIRECTORY, SOCKET_NAME, ToEgress, ToEngine, ToGenerator, encode,
};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Seconds without a request after which the egress process ends: it holds nothing that is expensive to get again.
const EGRESS_IDLE_SECONDS: u32 = 300;

/// A program that the supervisor runs and that sessions connect to.
#[derive(Debug)]
pub struct Program {
    /// The name in messages: "the socle …".
    pub name: &'static str,
    /// Name of the executable, in the folder `socle` of the server's libraries.
    pub executable: &'static str,
    /// Name of its socket in [`RUNTIME_DIRECTORY`].
    pub socket: &'static str,
    /// Name of the file in [`RUNTIME_DIRECTORY`] that holds the reason while it does not start.
    pub failure_file: &'static str,
    /// The message by which a session asks for it, if it starts when one does, and stays away after it has exited of its own
    /// accord until one asks again. Otherwise it runs as long as the supervisor.
    pub wanted_by: Option<Message>,
    /// Environment variables, besides the version.
    pub environment: &'static [(&'static str, &'static str)],
    /// The frame with its settings, for a process with that number of others before it.
    pub start_frame: fn(u32) -> Result<Vec<u8>>,
    /// The wait event of sessions that wait for it.
    pub wait_event: fn() -> u32,
}

/// The engine.
pub static ENGINE: Program = Program {
    name: "engine",
    executable: "socle-engine",
    socket: SOCKET_NAME,
    failure_file: FAILURE_FILE,
    wanted_by: None,
    environment: &[("TOKENIZERS_PARALLELISM", "false")],
    start_frame: engine_start,
    wait_event: version::engine_wait_event,
};

/// The generator.
pub static GENERATOR: Program = Program {
    name: "generator",
    executable: "socle-generator",
    socket: GENERATOR_SOCKET,
    failure_file: GENERATOR_FAILURE_FILE,
    wanted_by: Some(Message::GeneratorWanted),
    environment: &[],
    start_frame: generator_start,
    wait_event: version::generator_wait_event,
};

/// The egress process.
pub static EGRESS: Program = Program {
    name: "egress process",
    executable: "socle-egress",
    socket: EGRESS_SOCKET,
    failure_file: EGRESS_FAILURE_FILE,
    wanted_by: Some(Message::EgressWanted),
    environment: &[],
    start_frame: egress_start,
    wait_event: version::egress_wait_event,
};

impl Program {
    /// Whether it starts when a session asks for it.
    pub fn is_on_demand(&self) -> bool {
        self.wanted_by.is_some()
    }

    /// Path of the executable.
    pub fn path(&self) -> PathBuf {
        directory().join(self.executable)
    }

    /// Why the supervisor could not start it the last time, and how long ago that was.
    pub fn failure(&self) -> Option<(String, Duration)> {
        let file = self.failure_path();
        let reason = std::fs::read_to_string(&file).ok().filter(|reason| !reason.is_empty())?;
        let written = std::fs::metadata(&file).and_then(|file| file.modified()).ok()?;
        Some((reason, written.elapsed().unwrap_or_default()))
    }

    /// The file that [`Self::failure`] reads.
    pub fn failure_path(&self) -> PathBuf {
        Path::new(RUNTIME_DIRECTORY).join(self.failure_file)
    }
}

/// The directory of the programs and of the libraries that they load.
fn directory() -> PathBuf {
    gucs::library_directory().join("socle")
}

fn engine_start(restart_count: u32) -> Result<Vec<u8>> {
    let settings = EngineSettings {
        supervisor_pid: std::process::id(),
        postmaster_pid: backend::postmaster_pid(),
        restart_count,
        threads: gucs::engine_threads(),
        memory_limit_bytes: gucs::engine_memory_limit(),
        batch_tokens: gucs::engine_batch_tokens(),
        model_directory: gucs::model_directory().to_string_lossy().into_owned(),
        onnxruntime_library: gucs::onnxruntime_library().to_string_lossy().into_owned(),
    };
    encode(0, 0, &ToEngine::Start(settings))
}

fn generator_start(restart_count: u32) -> Result<Vec<u8>> {
    let settings = GeneratorSettings {
        supervisor_pid: std::process::id(),
        postmaster_pid: backend::postmaster_pid(),
        restart_count,
        threads: gucs::generator_threads(),
        memory_limit_bytes: gucs::generator_memory_limit(),
        model_directory: gucs::model_directory().to_string_lossy().into_owned(),
        library_directory: directory().join("llama").to_string_lossy().into_owned(),
        idle_timeout_seconds: gucs::generator_idle_timeout(),
    };
    encode(0, 0, &ToGenerator::Start(settings))
}

fn egress_start(restart_count: u32) -> Result<Vec<u8>> {
    let settings = EgressSettings {
        supervisor_pid: std::process::id(),
        postmaster_pid: backend::postmaster_pid(),
        restart_count,
        key_directory: gucs::egress_key_directory().to_string_lossy().into_owned(),
        name_servers: gucs::egress_name_servers(),
        idle_timeout_seconds: EGRESS_IDLE_SECONDS,
        system_identifier: backend::system_identifier(),
        timeline: backend::timeline(),
    };
    encode(0, 0, &ToEgress::Start(settings))
}
