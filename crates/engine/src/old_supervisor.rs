//! A supervisor of a version that knows no versions, which this engine has to end.

use rustix::process::{Pid, Signal, kill_process};
use socle_child::control::UNANNOUNCED_VERSION;

/// Terminates a supervisor of version 0.1.0, which knows no versions and would start this engine again and again. The next
/// session starts a supervisor from the installed library. Does nothing where the postmaster has loaded the old library
/// (`shared_preload_libraries`), because it would start the same supervisor again.
pub fn end_supervisor_of(version: &str) {
    if version != UNANNOUNCED_VERSION {
        return;
    }
    let parent_of = |pid: u32| {
        let line = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // The program name is in parentheses and may itself contain spaces and parentheses (proc_pid_stat(5)).
        line.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse::<u32>().ok()
    };
    let own = std::process::id();
    let Some((supervisor, postmaster)) = parent_of(own).and_then(|pid| Some((pid, parent_of(pid)?))) else { return };
    let has_loaded = |pid: u32| {
        let maps = std::fs::read_to_string(format!("/proc/{pid}/maps")).unwrap_or_default();
        maps.lines().any(|line| line.contains("/socle.so"))
    };
    // The parent may be a shell from which this program was started by hand.
    if has_loaded(supervisor)
        && !has_loaded(postmaster)
        && let Some(supervisor) = Pid::from_raw(supervisor.cast_signed())
    {
        let _ = kill_process(supervisor, Signal::TERM);
    }
}
