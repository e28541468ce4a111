//! Takes from the engine what it never needs: sockets of its own, other programs, other processes, other files. A process
//! that reads a document is left with even less.
//!
//! A model is code that somebody else wrote. If it breaks out of ONNX Runtime, it finds itself in a process that can
//! read models, compute, and answer the connections it was given. Called once, before any thread is started.

use landlock::{
    ABI, Access, AccessFs, AccessNet, Ruleset, RulesetAttr, RulesetCreatedAttr, RulesetStatus, Scope,
    path_beneath_rules,
};
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// System calls that return EPERM. The listening socket is open by then; accepting needs none of them.
const DENIED: [i64; 10] = [
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

/// Numbers of the x32 interface, which a 64-bit filter would let through (`arch/x86/entry/syscalls/syscall_64.tbl`).
const X32_BIT: i64 = 0x4000_0000;

/// Where the dynamic loader and ONNX Runtime look: libraries, and the description of the processor.
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

/// System calls that a process has which reads one document: memory, its one socket, its own end. All others return EPERM.
///
/// No fcntl: F_SETOWN and O_ASYNC would have the kernel send a signal of the reader's choice to a process of its choice,
/// whenever its socket becomes readable. No ioctl, which can do the same, no prctl, and nothing that makes a descriptor.
const READER_CALLS: [i64; 30] = [
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

/// What holds, in the words of `socle.engine_status`.
#[derive(Clone, Debug)]
pub struct Sandbox {
    /// About the network.
    pub network: String,
    /// About files.
    pub files: String,
    /// Directories that are not there yet, and so stay closed when they are made.
    pub missing: Vec<PathBuf>,
}

/// Closes the sandbox around this thread and all that it starts.
pub fn enter(model_directory: &Path, onnxruntime_library: &Path, keyword_directory: &Path) -> Sandbox {
    let files = restrict_files(model_directory, onnxruntime_library, keyword_directory)
        .unwrap_or_else(|error| format!("open: Landlock failed: {error}"));
    let network = restrict_calls().map_or_else(
        |error| format!("open: seccomp failed: {error}"),
        |()| "closed: seccomp refuses every new socket".to_string(),
    );
    let wanted = [Some(model_directory), onnxruntime_library.parent()].into_iter().flatten();
    let missing = wanted.filter(|path| !path.exists()).map(Path::to_path_buf).collect();
    Sandbox { network, files, missing }
}

/// Closes the sandbox around a process that is going to read one document: no files, no network, no other processes.
///
/// # Errors
/// When the kernel has no seccomp.
pub fn enter_reader() -> Result<(), Box<dyn std::error::Error>> {
    // The second of two doors, where the kernel has it: what it closes, the filter of system calls closes as well.
    let _ = close_everything();
    let mut rules: BTreeMap<i64, Vec<SeccompRule>> = READER_CALLS.into_iter().map(|call| (call, Vec::new())).collect();
    // abort() signals the process that calls it.
    let own = SeccompCondition::new(0, SeccompCmpArgLen::Dword, SeccompCmpOp::Eq, std::process::id().into())?;
    rules.insert(libc::SYS_tgkill, vec![SeccompRule::new(vec![own])?]);
    let denied = SeccompAction::Errno(libc::EPERM.cast_unsigned());
    let filter = SeccompFilter::new(rules, denied, SeccompAction::Allow, std::env::consts::ARCH.try_into()?)?;
    Ok(seccompiler::apply_filter(&BpfProgram::try_from(filter)?)?)
}

/// No files, no ports, no signals to others, with Landlock.
fn close_everything() -> Result<(), Box<dyn std::error::Error>> {
    let abi = ABI::V6;
    Ruleset::default()
        .handle_access(AccessFs::from_all(abi))?
        .handle_access(AccessNet::from_all(abi))?
        .scope(Scope::from_all(abi))?
        .create()?
        .restrict_self()?;
    Ok(())
}

fn restrict_calls() -> Result<(), Box<dyn std::error::Error>> {
    let mut calls = DENIED.to_vec();
    if cfg!(target_arch = "x86_64") {
        calls.extend(DENIED.iter().map(|call| call | X32_BIT));
    }
    let rules: BTreeMap<i64, Vec<SeccompRule>> = calls.into_iter().map(|call| (call, Vec::new())).collect();
    let denied = SeccompAction::Errno(libc::EPERM.cast_unsigned());
    let filter = SeccompFilter::new(rules, SeccompAction::Allow, denied, std::env::consts::ARCH.try_into()?)?;
    seccompiler::apply_filter_all_threads(&BpfProgram::try_from(filter)?)?;
    Ok(())
}

fn restrict_files(
    model_directory: &Path,
    library: &Path,
    keyword_directory: &Path,
) -> Result<String, Box<dyn std::error::Error>> {
    let abi = ABI::V6;
    let read = AccessFs::from_read(abi);
    // Plain files alone, made and removed: no directories, links, sockets or programs.
    let cached = AccessFs::ReadFile
        | AccessFs::ReadDir
        | AccessFs::WriteFile
        | AccessFs::Truncate
        | AccessFs::MakeReg
        | AccessFs::RemoveFile;
    // The library itself may be a link into another directory.
    let target = library.canonicalize().ok();
    let libraries = [Some(library), target.as_deref()].into_iter().flatten().filter_map(Path::parent);
    let status = Ruleset::default()
        .handle_access(AccessFs::from_all(abi))?
        .handle_access(AccessNet::from_all(abi))?
        .scope(Scope::from_all(abi))?
        .create()?
        .add_rules(path_beneath_rules(SYSTEM_PATHS, read))?
        .add_rules(path_beneath_rules([model_directory], read))?
        .add_rules(path_beneath_rules(libraries, read))?
        .add_rules(path_beneath_rules([keyword_directory], cached))?
        .restrict_self()?;
    Ok(match status.ruleset {
        RulesetStatus::FullyEnforced => "closed: Landlock allows reading models and libraries".to_string(),
        RulesetStatus::PartiallyEnforced => {
            "closed: Landlock allows reading models and libraries; this kernel lacks its newest parts".to_string()
        }
        RulesetStatus::NotEnforced => "open: this kernel has no Landlock".to_string(),
    })
}
