//! The generator process, started by the supervisor. Does in order what has to be done before there are threads: descriptors
//! and signals, the fork server, the settings, the lock, the socket, the sandbox.

use socle_child::control::{self, Control};
use socle_child::directory::create_packages;
use socle_child::fork_server::ForkServer;
use socle_child::{process, sandbox, seconds_since_1970, startup};
use socle_core::protocol::{
    EXIT_OTHER_VERSION, GENERATOR_LOCK, GENERATOR_SOCKET, GeneratorReport, GeneratorSettings, RUNTIME_DIRECTORY,
    VERSION,
};
use socle_generator::decoder::Decoder;
use socle_generator::progress::Progress;
use socle_generator::responses::Responses;
use socle_generator::server::Server;
use socle_generator::service::Service;
use socle_generator::statistics::Statistics;
use socle_generator::store::Store;
use socle_generator::trial;
use std::error::Error;
use std::io::Write;
use std::path::Path;
use std::sync::{Arc, Mutex};

fn main() {
    if let Some(version) = control::other_version() {
        let _ = writeln!(
            std::io::stderr(),
            "socle generator: this is version {VERSION}, its supervisor of version {version}: where shared_preload_libraries \
             names socle, the server has to be restarted"
        );
        process::exit_now(EXIT_OTHER_VERSION);
    }
    let result = serve();
    if let Err(error) = &result {
        // Goes to the server log: the supervisor left standard error open.
        let _ = writeln!(std::io::stderr(), "socle generator: {error}");
    }
    process::exit_now(if result.is_ok() { 0 } else { 1 })
}

fn serve() -> Result<(), Box<dyn Error>> {
    process::prepare()?;
    // Before there are threads, and descriptors that a trial must not inherit.
    let fork_server = ForkServer::start(c"socle trials", trial::serve)?;
    let (stream, settings): (_, GeneratorSettings) = control::connect()?;
    if !process::is_child_of(settings.supervisor_pid) {
        return Err("the supervisor has ended".into());
    }
    let runtime_directory = Path::new(RUNTIME_DIRECTORY);
    startup::take_lock(&runtime_directory.join(GENERATOR_LOCK))?;
    let listener = startup::listen(&runtime_directory.join(GENERATOR_SOCKET))?;
    let termination = startup::termination()?;
    // Before the sandbox, because available_parallelism() reads the CPU quota from the files of the control group.
    let threads = threads(settings.threads);
    let packages = create_packages();
    let read = [Path::new(&settings.model_directory), Path::new(&settings.library_directory), &packages];
    let sandbox = sandbox::enter(&read, None);
    let progress = Arc::new(Progress::default());
    let observed = progress.clone();
    let control = Control::start(stream, settings.postmaster_pid, move || observed.is_alive())?;
    control.log(format!("network {}; files {}", sandbox.network, sandbox.files));
    let statistics = Arc::new(Statistics::default());
    let store = Store::new(
        settings.model_directory.clone().into(),
        settings.library_directory.clone().into(),
        settings.memory_limit_bytes,
        threads,
        progress.clone(),
    );
    let report = GeneratorReport {
        pid: std::process::id(),
        started_at: seconds_since_1970(),
        restart_count: settings.restart_count,
        version: VERSION.into(),
        thread_count: threads,
        memory_limit_bytes: settings.memory_limit_bytes,
        network: sandbox.network,
        files: sandbox.files,
        ..GeneratorReport::default()
    };
    let decoder = Decoder::start(progress, statistics.clone())?;
    let service = Service { settings, threads, store, decoder, fork_server, trial: Mutex::default(), statistics };
    let responses = Arc::new(Responses::new()?);
    let service = Arc::new(service);
    Server { listener, termination, responses, service, control, report, missing: sandbox.missing }.run()?;
    Ok(())
}

/// The number of threads that compute: they wait for each other without pausing, so that more of them than there are
/// processors would stop nearly all work, and they leave half of the processors to everything else unless told otherwise.
fn threads(setting: u32) -> u32 {
    let processors = std::thread::available_parallelism().map_or(1, |count| count.get() as u32);
    if setting == 0 { (processors / 2).max(1) } else { setting.min(processors) }
}
