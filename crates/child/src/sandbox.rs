//! The sandboxes of the engine, the generator and document readers, made of Landlock and seccomp.
//!
//! Models and documents are untrusted input to large libraries. Code that takes over a process through a model can read
//! models, compute and answer the connections it has; it can open no socket, run no program and reach no other process or
//! file. Code that takes over a reader through a document can compute and write to its one socket.

use landlock::{
    ABI, Access, AccessFs, AccessNet, Ruleset, RulesetAttr, RulesetCreatedAttr, RulesetStatus, Scope,
    path_beneath_rules,
};
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// System calls that return EPERM in engine and generator. The listening socket is open by then, and accept(2) needs none of them.
const DENIED_SYSCALLS: [i64; 10] = [
    libc::SYS_socket,
    libc::SYS_connect,
    libc::SYS_bind,
    libc::SYS_io_uring_setup,
    libc::SYS_execve,
    libc::SYS_execveat,
    libc::SYS_pidfd_getfd,
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
];

/// Bit of the numbers of system calls of the x32 ABI, which a filter for x86-64 does not match by itself
/// (`arch/x86/entry/syscalls/syscall_64.tbl`).
const X32_BIT: i64 = 0x4000_0000;

/// Paths that the dynamic loader, ONNX Runtime and llama.cpp read: libraries, and the description of the processor.
const SYSTEM_PATHS: [&str; 9] = [
    "/usr/lib",
    "/usr/lib64",
    "/lib",
    "/lib64",
    "/etc/ld.so.cache",
    "/proc/self",
    "/proc/cpuinfo",
    "/sys/devices/system",
    "/dev/urandom",
];

/// System calls that are allowed in a document reader: those for memory, its one socket and its exit. All others return
/// EPERM.
///
/// fcntl is not among them: with F_SETOWN and O_ASYNC the kernel would send a signal of the reader's choice to a process of
/// its choice whenever its socket becomes readable. Nor is ioctl, which can do the same, prctl, or any call that creates a
/// descriptor.
const READER_SYSCALLS: [i64; 30] = [
    libc::SYS_read,
    libc::SYS_write,
    libc::SYS_readv,
    libc::SYS_writev,
    libc::SYS_recvfrom,
    libc::SYS_sendto,
    libc::SYS_shutdown,
    libc::SYS_close,
    libc::SYS_mmap,
    libc::SYS_mprotect,
    libc::SYS_munmap,
    libc::SYS_mremap,
    libc::SYS_madvise,
    libc::SYS_brk,
    libc::SYS_futex,
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_sigaltstack,
    libc::SYS_exit,
    libc::SYS_exit_group,
    libc::SYS_getrandom,
    libc::SYS_clock_gettime,
    libc::SYS_sched_yield,
    libc::SYS_getpid,
    libc::SYS_gettid,
    libc::SYS_rseq,
    libc::SYS_sched_getaffinity,
    libc::SYS_sysinfo,
    libc::SYS_uname,
];

/// The state of the sandbox, as the views of the state of engine and generator show it.
#[derive(Clone, Debug)]
pub struct Sandbox {
    /// Whether sockets are refused, or why not.
    pub network: String,
    /// Whether files are inaccessible, or why not.
    pub files: String,
    /// Directories that did not exist, and so stay inaccessible when they are created.
    pub missing: Vec<PathBuf>,
}

/// Enters the sandbox of engine or generator: reads the directories `read`, which hold models and libraries, and reads and
/// writes files in `cache`. To be called once, before any thread is started; applies to all threads of the process.
pub fn enter(read: &[&Path], cache: Option<&Path>) -> Sandbox {
    let files = restrict_files(read, cache).unwrap_or_else(|error| format!("open: Landlock failed: {error}"));
    let network = restrict_syscalls().map_or_else(
        |error| format!("open: seccomp failed: {error}"),
        |()| "closed: seccomp refuses every new socket".to_string(),
    );
    let missing = read.iter().filter(|path| !path.exists()).map(|path| path.to_path_buf()).collect();
    Sandbox { network, files, missing }
}

/// Refuses new sockets, other programs and new privileges to the fork server, where the kernel has seccomp. It reads no
/// document and no model.
pub fn enter_fork_server() {
    // Where this fails, that of the processes that it forks fails, too, and they do nothing without it or say so.
    let _ = restrict_syscalls();
}

/// Enters the sandbox of a document reader: no files, no network, no other processes.
///
/// # Errors
/// When the kernel has no seccomp, or refuses the filter.
pub fn enter_reader() -> Result<(), Box<dyn std::error::Error>> {
    // A second layer where the kernel has Landlock: the system call filter denies all of this as well.
    let _ = deny_all_access();
    let mut rules: BTreeMap<i64, Vec<SeccompRule>> =
        READER_SYSCALLS.into_iter().map(|call| (call, Vec::new())).collect();
    // abort(3) sends a signal to the calling process.
    let own = SeccompCondition::new(0, SeccompCmpArgLen::Dword, SeccompCmpOp::Eq, std::process::id().into())?;
    rules.insert(libc::SYS_tgkill, vec![SeccompRule::new(vec![own])?]);
    let denied = SeccompAction::Errno(libc::EPERM.cast_unsigned());
    let filter = SeccompFilter::new(rules, denied, SeccompAction::Allow, std::env::consts::ARCH.try_into()?)?;
    Ok(seccompiler::apply_filter(&BpfProgram::try_from(filter)?)?)
}

/// Denies files, TCP ports and signals to other processes with Landlock.
fn deny_all_access() -> Result<(), Box<dyn std::error::Error>> {
    let abi = ABI::V6;
    Ruleset::default()
        .handle_access(AccessFs::from_all(abi))?
        .handle_access(AccessNet::from_all(abi))?
        .scope(Scope::from_all(abi))?
        .create()?
        .restrict_self()?;
    Ok(())
}

fn restrict_syscalls() -> Result<(), Box<dyn std::error::Error>> {
    let mut calls = DENIED_SYSCALLS.to_vec();
    if cfg!(target_arch = "x86_64") {
        calls.extend(DENIED_SYSCALLS.iter().map(|call| call | X32_BIT));
    }
    let rules: BTreeMap<i64, Vec<SeccompRule>> = calls.into_iter().map(|call| (call, Vec::new())).collect();
    let denied = SeccompAction::Errno(libc::EPERM.cast_unsigned());
    let filter = SeccompFilter::new(rules, SeccompAction::Allow, denied, std::env::consts::ARCH.try_into()?)?;
    seccompiler::apply_filter_all_threads(&BpfProgram::try_from(filter)?)?;
    Ok(())
}

fn restrict_files(read: &[&Path], cache: Option<&Path>) -> Result<String, Box<dyn std::error::Error>> {
    let abi = ABI::V6;
    let reading = AccessFs::from_read(abi);
    // Regular files may be created and removed, but no directories, links or sockets, and nothing executed.
    let cached = AccessFs::ReadFile
        | AccessFs::ReadDir
        | AccessFs::WriteFile
        | AccessFs::Truncate
        | AccessFs::MakeReg
        | AccessFs::RemoveFile;
    let status = Ruleset::default()
        .handle_access(AccessFs::from_all(abi))?
        .handle_access(AccessNet::from_all(abi))?
        .scope(Scope::from_all(abi))?
        .create()?
        .add_rules(path_beneath_rules(SYSTEM_PATHS, reading))?
        .add_rules(path_beneath_rules(read, reading))?
        .add_rules(path_beneath_rules(cache, cached))?
        .restrict_self()?;
    Ok(match status.ruleset {
        RulesetStatus::FullyEnforced => "closed: Landlock allows reading models and libraries".to_string(),
        RulesetStatus::PartiallyEnforced => {
            "closed: Landlock allows reading models and libraries; this kernel lacks its newest parts".to_string()
        }
        RulesetStatus::NotEnforced => "open: this kernel has no Landlock".to_string(),
    })
}
