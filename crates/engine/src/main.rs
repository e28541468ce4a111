//! The engine process, started by the supervisor. Does in order what has to be done before there are threads: descriptors
//! and signals, the fork server, the settings, the lock, the socket, the sandbox.

use mio::net::UnixStream;
use mio::{Poll, Waker};
use socle_child::control::{self, Control};
use socle_child::directory::create_packages;
use socle_child::{process, sandbox, seconds_since_1970, startup};
use socle_core::protocol::{
    ENGINE_LOCK, EXIT_OTHER_VERSION, EngineReport, EngineSettings, KEYWORD_DIRECTORY, RUNTIME_DIRECTORY, SOCKET_NAME,
    VERSION,
};
use socle_engine::document::{ForkServer, PageCache};
use socle_engine::keyword::cache::SegmentCache;
use socle_engine::lane::Lane;
use socle_engine::model::runtime::Runtime;
use socle_engine::model::store::{EVICTION_TIMEOUT, ModelStore};
use socle_engine::old_supervisor;
use socle_engine::response_queue::ResponseQueue;
use socle_engine::scheduler::Scheduler;
use socle_engine::server::{RESPONSES, Server};
use socle_engine::statistics::Statistics;
use socle_engine::worker::{self, Resources};
use std::error::Error;
use std::io::Write;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::sync::Arc;

fn main() {
    if let Some(version) = control::other_version() {
        let _ = writeln!(
            std::io::stderr(),
            "socle engine: this is version {VERSION}, its supervisor of version {version}: where shared_preload_libraries \
             names socle, the server has to be restarted"
        );
        old_supervisor::end_supervisor_of(&version);
        process::exit_now(EXIT_OTHER_VERSION);
    }
    let result = serve();
    if let Err(error) = &result {
        // Goes to the server log: the supervisor left standard error open.
        let _ = writeln!(std::io::stderr(), "socle engine: {error}");
    }
    process::exit_now(if result.is_ok() { 0 } else { 1 })
}

fn serve() -> Result<(), Box<dyn Error>> {
    process::prepare()?;
    // Before there are threads, and descriptors that a document reader must not inherit.
    let fork_server = Arc::new(ForkServer::start()?);
    process::keep_freed_memory();
    let (stream, settings): (_, EngineSettings) = control::connect()?;
    if !process::is_child_of(settings.supervisor_pid) {
        return Err("the supervisor has ended".into());
    }
    let runtime_directory = Path::new(RUNTIME_DIRECTORY);
    startup::take_lock(&runtime_directory.join(ENGINE_LOCK))?;
    let listener = startup::listen(&runtime_directory.join(SOCKET_NAME))?;
    let termination = startup::termination()?;

    let library = Path::new(&settings.onnxruntime_library);
    // Before the sandbox, because available_parallelism() reads the CPU quota from the files of the control group.
    let threads = threads(&settings);
    let keyword_directory = runtime_directory.join(KEYWORD_DIRECTORY);
    // Without the directory, segments are kept in memory.
    let _ = std::fs::DirBuilder::new().mode(0o700).recursive(true).create(&keyword_directory);
    let packages = create_packages();
    // The library may be a symbolic link into another directory.
    let target = library.canonicalize().ok();
    let libraries = [Some(library), target.as_deref()].into_iter().flatten().filter_map(Path::parent);
    let read: Vec<&Path> = [Path::new(&settings.model_directory), &packages].into_iter().chain(libraries).collect();
    let sandbox = sandbox::enter(&read, Some(&keyword_directory));
    let control = Control::start(stream, settings.postmaster_pid, || true)?;
    control.log(format!("network {}; files {}", sandbox.network, sandbox.files));
    let poll = Poll::new()?;
    let statistics = Arc::new(Statistics::default());
    let responses = Arc::new(ResponseQueue::new(Waker::new(poll.registry(), RESPONSES)?, statistics.clone()));
    let models = settings.model_directory.clone().into();
    let runtime = Arc::new(Runtime::new(library));
    let store = Arc::new(ModelStore::new(models, runtime, settings.memory_limit_bytes, EVICTION_TIMEOUT));
    let keyword = Arc::new(SegmentCache::new(&keyword_directory));
    let pages = Arc::new(PageCache::new(&keyword_directory));
    let resources = Resources { store, keyword, pages, fork_server };
    let batch_tokens = settings.batch_tokens as usize;
    let scheduler = Arc::new(Scheduler::new(batch_tokens, Lane::documents(threads)));
    worker::start(&scheduler, &resources, &responses, &statistics, threads)?;
    let server = Server {
        poll,
        listener: mio::net::UnixListener::from_std(listener),
        termination: UnixStream::from_std(termination),
        scheduler,
        responses,
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

fn threads(settings: &EngineSettings) -> usize {
    match settings.threads {
        0 => std::thread::available_parallelism().map_or(1, usize::from),
        threads => threads as usize,
    }
}
