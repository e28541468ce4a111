//! Starts the engine under a supervisor. Everything that cannot be done once threads run is done here, in order:
//! descriptors and signals, the settings, the lock, the socket, the sandbox.

use mio::net::UnixStream;
use mio::{Poll, Waker};
use socle_core::protocol::{
    ENGINE_LOCK, EXIT_OTHER_VERSION, EngineReport, EngineSettings, KEYWORD_DIRECTORY, RUNTIME_DIRECTORY, SOCKET_NAME,
    VERSION,
};
use socle_engine::control::{self, Control};
use socle_engine::document::Nursery;
use socle_engine::keyword::cache::Cache;
use socle_engine::model::runtime::Runtime;
use socle_engine::model::store::{EVICTION_PATIENCE, Store};
use socle_engine::outbox::Outbox;
use socle_engine::scheduler::Scheduler;
use socle_engine::server::{OUTBOX, Server};
use socle_engine::statistics::Statistics;
use socle_engine::work::Resources;
use socle_engine::{process, sandbox, seconds_since_1970};
use std::error::Error;
use std::fs::File;
use std::io::Write;
use std::os::unix::fs::DirBuilderExt;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::sync::Arc;

fn main() {
    if let Some(version) = control::other_version() {
        let _ = writeln!(
            std::io::stderr(),
            "socle engine: this is version {VERSION}, its supervisor of version {version}: where shared_preload_libraries \
             names socle, the server has to be restarted"
        );
        control::end_supervisor_of(&version);
        process::exit_now(EXIT_OTHER_VERSION);
    }
    let result = serve();
    if let Err(error) = &result {
        // The server log, through the descriptor that the supervisor left open.
        let _ = writeln!(std::io::stderr(), "socle engine: {error}");
    }
    process::exit_now(if result.is_ok() { 0 } else { 1 })
}

fn serve() -> Result<(), Box<dyn Error>> {
    process::prepare()?;
    // Before there are threads, and anything that a reader of documents must not have.
    let nursery = Arc::new(Nursery::start()?);
    let (stream, settings) = control::connect()?;
    if !process::is_child_of(settings.supervisor_pid) {
        return Err("the supervisor is gone".into());
    }
    let runtime_directory = Path::new(RUNTIME_DIRECTORY);
    let lock = File::create(runtime_directory.join(ENGINE_LOCK))?;
    // An engine that is still leaving holds it. If our supervisor dies meanwhile, so do we.
    lock.lock()?;
    // Released by the end of the process.
    std::mem::forget(lock);
    let listener = listen(&runtime_directory.join(SOCKET_NAME))?;
    let (termination, signalled) = std::os::unix::net::UnixStream::pair()?;
    signal_hook::low_level::pipe::register(libc::SIGTERM, signalled)?;
    termination.set_nonblocking(true)?;

    let library = Path::new(&settings.onnxruntime_library);
    // Asks the control groups for the share of the processors, which lies in files that the sandbox closes.
    let threads = threads(&settings);
    let keyword_directory = runtime_directory.join(KEYWORD_DIRECTORY);
    // Without it, segments are kept in memory.
    let _ = std::fs::DirBuilder::new().mode(0o700).recursive(true).create(&keyword_directory);
    let sandbox = sandbox::enter(Path::new(&settings.model_directory), library, &keyword_directory);
    let control = Control::start(stream, &settings)?;
    control.log(format!("network {}; files {}", sandbox.network, sandbox.files));
    let poll = Poll::new()?;
    let statistics = Arc::new(Statistics::default());
    let outbox = Arc::new(Outbox::new(Waker::new(poll.registry(), OUTBOX)?, statistics.clone()));
    let models = settings.model_directory.clone().into();
    let runtime = Arc::new(Runtime::new(library));
    let store = Arc::new(Store::new(models, runtime, settings.memory_limit_bytes, EVICTION_PATIENCE));
    let resources = Resources { store, keyword: Arc::new(Cache::new(&keyword_directory)), nursery };
    let batch_tokens = settings.batch_tokens as usize;
    let scheduler = Scheduler::start(&resources, &outbox, &statistics, threads, batch_tokens)?;
    let server = Server {
        poll,
        listener: mio::net::UnixListener::from_std(listener),
        termination: UnixStream::from_std(termination),
        scheduler,
        outbox,
        resources,
        statistics,
        control,
        report: EngineReport {
            pid: std::process::id(),
            started_at: seconds_since_1970(),
            restart_count: settings.restart_count,
            thread_count: threads as u32,
            memory_limit_bytes: settings.memory_limit_bytes,
            network: sandbox.network,
            files: sandbox.files,
            version: VERSION.into(),
            ..EngineReport::default()
        },
        missing: sandbox.missing,
    };
    server.run()?;
    Ok(())
}

fn listen(socket: &Path) -> std::io::Result<UnixListener> {
    match std::fs::remove_file(socket) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = UnixListener::bind(socket)?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

fn threads(settings: &EngineSettings) -> usize {
    match settings.threads {
        0 => std::thread::available_parallelism().map_or(1, usize::from),
        threads => threads as usize,
    }
}
