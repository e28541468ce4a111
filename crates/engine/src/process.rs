//! What the engine asks of the operating system for itself: to die with its parent, to be the first to go when memory
//! runs out, and to inherit nothing.
//!
//! Called on the main thread before there is any other, except where it says otherwise.

use rustix::process::{Pid, Resource, Rlimit, Signal, getrlimit, setrlimit};
use std::io;
use std::os::fd::{FromRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::time::Duration;

/// Nice value of bulk workers: at 10 a thread has a tenth of the weight of one at 0 (sched(7), kernel/sched/core.c).
const BULK_NICE: i32 = 10;

/// Allocations from this size on come from their own mapping. Tensors of a batch stay below and are reused instead of
/// being mapped, faulted in and unmapped hundreds of times a run.
const MMAP_THRESHOLD: i32 = 256 << 20;

/// Free memory at the top of the heap that is kept.
const TRIM_THRESHOLD: i32 = 64 << 20;

/// Makes this process what the supervisor expects.
///
/// # Errors
/// Whatever the operating system refuses.
pub fn prepare() -> io::Result<()> {
    // SAFETY: nothing but the three standard descriptors is in use yet.
    unsafe { libc::close_range(3, libc::c_uint::MAX, 0) };
    for signal in [libc::SIGINT, libc::SIGHUP, libc::SIGUSR1, libc::SIGUSR2, libc::SIGALRM, libc::SIGURG] {
        // SAFETY: SIG_IGN is a valid disposition. The postmaster signals the whole process group, and only SIGTERM and
        // SIGQUIT are meant for the engine.
        unsafe { libc::signal(signal, libc::SIG_IGN) };
    }
    // SAFETY: the handler only calls _exit, which is async-signal-safe.
    unsafe { signal_hook::low_level::register(libc::SIGQUIT, || exit_now(2)) }?;
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
    // The kernel ends the process with the highest score; 1000 is the maximum (proc_pid_oom_score_adj(5)).
    std::fs::write("/proc/self/oom_score_adj", "1000")?;
    raise_descriptor_limit()?;
    // SAFETY: mallopt only sets parameters of the allocator.
    unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, MMAP_THRESHOLD);
        libc::mallopt(libc::M_TRIM_THRESHOLD, TRIM_THRESHOLD);
    }
    Ok(())
}

/// Makes this process, which has just been forked, one that forks others: it dies with the engine, whatever signals the
/// postmaster's process group gets, and its standard descriptors lead nowhere.
///
/// # Errors
/// Whatever the operating system refuses.
pub fn become_nursery() -> io::Result<()> {
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
    // SAFETY: SIG_IGN is a valid disposition.
    unsafe { libc::signal(libc::SIGTERM, libc::SIG_IGN) };
    rustix::thread::set_name(c"socle documents")?;
    let nowhere = std::fs::OpenOptions::new().read(true).write(true).open("/dev/null")?;
    rustix::stdio::dup2_stdin(&nowhere)?;
    rustix::stdio::dup2_stdout(&nowhere)?;
    rustix::stdio::dup2_stderr(&nowhere)?;
    Ok(())
}

/// Makes this process, which has just been forked, one that has nothing but `socket`, and neither time nor memory
/// without end. It dies with the process that forked it.
///
/// # Errors
/// Whatever the operating system refuses.
pub fn become_reader(socket: OwnedFd, timeout: Duration, memory: u64) -> io::Result<UnixStream> {
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
    rustix::thread::set_name(c"socle reader")?;
    rustix::stdio::dup2_stdin(&socket)?;
    drop(socket);
    // SAFETY: nothing but the three standard descriptors is used from here on.
    unsafe { libc::close_range(3, libc::c_uint::MAX, 0) };
    lower_priority_of_thread();
    let limit = |resource, most: u64| setrlimit(resource, Rlimit { current: Some(most), maximum: Some(most) });
    limit(Resource::Core, 0)?;
    limit(Resource::Fsize, 0)?;
    limit(Resource::As, memory)?;
    let seconds = timeout.as_secs().max(1);
    // The first ends it by SIGXCPU, which says why; the second by SIGKILL.
    setrlimit(Resource::Cpu, Rlimit { current: Some(seconds), maximum: Some(seconds + 1) })?;
    // SAFETY: descriptor 0 is the socket, and nothing else uses it.
    Ok(unsafe { UnixStream::from_raw_fd(0) })
}

/// A descriptor for every backend: the soft limit is usually 1,024, for the sake of programs that use select(2), and
/// max_connections may be higher.
fn raise_descriptor_limit() -> io::Result<()> {
    let limit = getrlimit(Resource::Nofile);
    Ok(setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit })?)
}

/// Whether the process that started us is still our parent. False means that it died before
/// [`prepare`] could ask to die with it.
pub fn is_child_of(parent: u32) -> bool {
    rustix::process::getppid().map(|pid| pid.as_raw_nonzero().get().cast_unsigned()) == Some(parent)
}

/// Something that becomes readable when the process ends, if there is such a process.
pub fn watch(pid: u32) -> Option<OwnedFd> {
    let pid = Pid::from_raw(i32::try_from(pid).ok()?)?;
    rustix::process::pidfd_open(pid, rustix::process::PidfdFlags::empty()).ok()
}

/// Whether the file that this process was started from has been replaced, as an upgrade does.
pub fn executable_was_replaced() -> bool {
    use std::os::unix::fs::MetadataExt;
    let Ok(path) = std::env::current_exe() else { return true };
    // /proc/self/exe leads to the file that runs, whatever its name has come to stand for (proc_pid_exe(5)).
    let identity = |path: &std::path::Path| std::fs::metadata(path).map(|file| (file.dev(), file.ino())).ok();
    identity(&path) != identity(std::path::Path::new("/proc/self/exe"))
}

/// Lowers the priority of the calling thread. Never undone.
pub fn lower_priority_of_thread() {
    // SAFETY: a plain system call; on Linux PRIO_PROCESS with 0 means the calling thread (setpriority(2)).
    unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, BULK_NICE) };
}

/// Gives memory that has been freed back to the operating system. Loading a model frees about as much as it keeps.
pub fn release_memory() {
    // SAFETY: malloc_trim only returns free pages; it may be called at any time from any thread.
    unsafe { libc::malloc_trim(0) };
}

/// Leaves at once: ONNX Runtime's global destructors have crashed before, and nothing here needs tidying.
pub fn exit_now(status: i32) -> ! {
    // SAFETY: _exit has no preconditions.
    unsafe { libc::_exit(status) }
}
