//! The egress process, started by the supervisor when a session needs it. Does in order what has to be done before there are
//! threads: descriptors and signals, the settings, the lock, the socket, the sandbox.

use socle_child::control::{self, Control};
use socle_child::{process, seconds_since_1970, startup};
use socle_core::protocol::{
    EGRESS_LOCK, EGRESS_SOCKET, EXIT_OTHER_VERSION, EgressReport, EgressSettings, LEDGER_DIRECTORY, LEDGER_KEY,
    RUNTIME_DIRECTORY, VERSION,
};
use socle_egress::call::Service;
use socle_egress::intent::Statistics;
use socle_egress::ledger::{LedgerWriter, SEGMENT_BYTES};
use socle_egress::sandbox;
use socle_egress::server::Server;
use socle_ledger::{Fault, Place};
use std::error::Error;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;

fn main() {
    if let Some(version) = control::other_version() {
        let _ = writeln!(
            std::io::stderr(),
            "socle egress process: this is version {VERSION}, its supervisor of version {version}: where shared_preload_libraries \
             names socle, the server has to be restarted"
        );
        process::exit_now(EXIT_OTHER_VERSION);
    }
    // What a panic says could hold text of a request.
    std::panic::set_hook(Box::new(|_| {}));
    let result = serve();
    if let Err(error) = &result {
        // Goes to the server log: the supervisor left standard error open.
        let _ = writeln!(std::io::stderr(), "socle egress process: {error}");
    }
    process::exit_now(if result.is_ok() { 0 } else { 1 })
}

fn serve() -> Result<(), Box<dyn Error>> {
    process::prepare()?;
    let (stream, settings): (_, EgressSettings) = control::connect()?;
    if !process::is_child_of(settings.supervisor_pid) {
        return Err("the supervisor has ended".into());
    }
    let runtime_directory = Path::new(RUNTIME_DIRECTORY);
    startup::take_lock(&runtime_directory.join(EGRESS_LOCK))?;
    let listener = startup::listen(&runtime_directory.join(EGRESS_SOCKET))?;
    let termination = startup::termination()?;
    let ledger_directory = Path::new(LEDGER_DIRECTORY);
    let prepared = prepare_ledger(ledger_directory);
    let place = Place {
        system: settings.system_identifier.to_string(),
        timeline: settings.timeline,
        machine: socle_ledger::place::machine(),
    };
    let (sandbox, accessible) = sandbox::enter(&settings.key_directory, ledger_directory);
    let control = Control::start(stream, settings.postmaster_pid, || true)?;
    if let Err(error) = prepared {
        control.log(format!("the ledger could not be prepared: {error}"));
    }
    control.log(format!("network {}; files {}", sandbox.network, sandbox.files));
    let report = EgressReport {
        pid: std::process::id(),
        started_at: seconds_since_1970(),
        restart_count: settings.restart_count,
        version: VERSION.into(),
        network: sandbox.network,
        files: sandbox.files,
        ..EgressReport::default()
    };
    let ledger = LedgerWriter::new(ledger_directory.to_path_buf(), place, SEGMENT_BYTES);
    let service = Arc::new(Service { settings, statistics: Statistics::default(), ledger, restricts_ports: true });
    Server { listener, termination, service, control, report, accessible }.run()?;
    Ok(())
}

/// Makes what the ledger needs and the sandbox does not let this process make: its directory, and the key beside it, which only
/// sessions read.
fn prepare_ledger(directory: &Path) -> Result<(), Fault> {
    socle_ledger::key::make(Path::new(LEDGER_KEY))?;
    socle_ledger::place::make(directory)
}
