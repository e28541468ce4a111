//! Process attributes of the engine, the generator and their children: parent-death signal, OOM score, inherited descriptors, resource
//! limits, priorities.
//!
//! Functions are called on the main thread before there is any other, unless their documentation says otherwise.

use rustix::process::{Pid, Resource, Rlimit, Signal, getrlimit, setrlimit};
use std::ffi::CStr;
use std::io;
use std::os::fd::{FromRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::time::Duration;

/// Nice value of bulk workers, of threads that generate text, and of processes for untrusted input. At 10, a thread has about a tenth of the weight of one at 0 (sched(7),
/// kernel/sched/core.c).
const BULK_NICE: i32 = 10;

/// Size in bytes from which malloc(3) maps an allocation by itself. The tensors of a batch stay below, so that their memory
/// is reused instead of being mapped, faulted in and unmapped hundreds of times a run.
const MMAP_THRESHOLD: i32 = 256 << 20;

/// Free memory at the top of the heap that malloc(3) keeps, in bytes; and for [`keep_freed_memory`].
const TRIM_THRESHOLD: i32 = 64 << 20;
const KEPT_TRIM_THRESHOLD: i32 = 1 << 30;

/// Size in bytes of the parts of the heap of a thread. With a padding of that size, none is returned when it is empty (glibc,
/// heap_trim in malloc/arena.c).
const HEAP_SIZE: i32 = 64 << 20;

/// Sets the process attributes of a child of the supervisor: closes inherited descriptors, ignores signals that are not meant for it,
/// dies with the supervisor, and is the first process that the kernel kills when memory runs out.
///
/// # Errors
/// Whatever the system calls fail with.
pub fn prepare() -> io::Result<()> {
    // SAFETY: nothing but the three standard descriptors is in use yet.
    unsafe { libc::close_range(3, libc::c_uint::MAX, 0) };
    for signal in [libc::SIGINT, libc::SIGHUP, libc::SIGUSR1, libc::SIGUSR2, libc::SIGALRM, libc::SIGURG] {
        // SAFETY: SIG_IGN is a valid disposition. The postmaster signals the whole process group, and only SIGTERM and
        // SIGQUIT are meant for this one.
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

/// Sets the process attributes of the fork server, in the process that was just forked: it dies with its parent, ignores
/// SIGTERM to the postmaster's process group, and has /dev/null as its standard descriptors.
///
/// # Errors
/// Whatever the system calls fail with.
pub fn become_fork_server(name: &CStr) -> io::Result<()> {
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
    // SAFETY: SIG_IGN is a valid disposition.
    unsafe { libc::signal(libc::SIGTERM, libc::SIG_IGN) };
    rustix::thread::set_name(name)?;
    let dev_null = std::fs::OpenOptions::new().read(true).write(true).open("/dev/null")?;
    rustix::stdio::dup2_stdin(&dev_null)?;
    rustix::stdio::dup2_stdout(&dev_null)?;
    rustix::stdio::dup2_stderr(&dev_null)?;
    Ok(())
}

/// Sets the process attributes of a process for untrusted input that was just forked: no descriptor but `socket`,
/// low priority, `timeout` of processor time (whole seconds, at least 1), `memory` bytes of address space. It dies with
/// the fork server. Returns the socket.
///
/// # Errors
/// Whatever the system calls fail with.
pub fn become_reader(name: &CStr, socket: OwnedFd, timeout: Duration, memory: u64) -> io::Result<UnixStream> {
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
    rustix::thread::set_name(name)?;
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
    // The soft limit sends SIGXCPU, which tells the fork server why the reader ended; the hard limit sends SIGKILL.
    setrlimit(Resource::Cpu, Rlimit { current: Some(seconds), maximum: Some(seconds + 1) })?;
    // SAFETY: descriptor 0 is the socket, and nothing else uses it.
    Ok(unsafe { UnixStream::from_raw_fd(0) })
}

/// Raises the soft limit of open files to the hard limit. Every backend needs a descriptor, max_connections may be large,
/// and the usual soft limit of 1,024 exists only for programs that use select(2).
fn raise_descriptor_limit() -> io::Result<()> {
    let limit = getrlimit(Resource::Nofile);
    Ok(setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit })?)
}

/// Whether `parent` is still the parent of this process. False when it ended before the parent-death signal was set.
pub fn is_child_of(parent: u32) -> bool {
    rustix::process::getppid().map(|pid| pid.as_raw_nonzero().get().cast_unsigned()) == Some(parent)
}

/// A pidfd, which becomes readable when the process ends. `None` when there is no such process. May be called at any time.
pub fn open_pidfd(pid: u32) -> Option<OwnedFd> {
    let pid = Pid::from_raw(i32::try_from(pid).ok()?)?;
    rustix::process::pidfd_open(pid, rustix::process::PidfdFlags::empty()).ok()
}

/// Whether the file that this process was started from has been replaced, as by an upgrade. May be called at any time.
pub fn executable_was_replaced() -> bool {
    use std::os::unix::fs::MetadataExt;
    let Ok(path) = std::env::current_exe() else { return true };
    // /proc/self/exe refers to the running file, even when its path now names another one (proc_pid_exe(5)).
    let identity = |path: &std::path::Path| std::fs::metadata(path).map(|file| (file.dev(), file.ino())).ok();
    identity(&path) != identity(std::path::Path::new("/proc/self/exe"))
}

/// Lowers the priority of the calling thread for good. To be called on the thread itself.
pub fn lower_priority_of_thread() {
    // SAFETY: a plain system call; on Linux PRIO_PROCESS with 0 means the calling thread (setpriority(2)).
    unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, BULK_NICE) };
}

/// Keeps what is freed until [`release_memory`], because the next run needs as much: the pages of a scan took a tenth longer
/// when the kernel had to clear the same memory again and again. To be called when there are no processes to be forked
/// that have a limit of memory, because a heap also grows by more than is needed.
pub fn keep_freed_memory() {
    // SAFETY: mallopt only sets parameters of the allocator.
    unsafe {
        libc::mallopt(libc::M_TOP_PAD, HEAP_SIZE);
        libc::mallopt(libc::M_TRIM_THRESHOLD, KEPT_TRIM_THRESHOLD);
    }
}

/// Returns freed memory to the operating system. Loading a model frees about as much as it keeps.
pub fn release_memory() {
    // SAFETY: malloc_trim only returns free pages; it may be called at any time from any thread.
    unsafe { libc::malloc_trim(0) };
}

/// Exits without running destructors: the global ones of ONNX Runtime have crashed, and none here has to run. May be called
/// at any time from any thread.
pub fn exit_now(status: i32) -> ! {
    // SAFETY: _exit has no preconditions.
    unsafe { libc::_exit(status) }
}
