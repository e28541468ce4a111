//! The sandbox of the egress process, made of Landlock and seccomp.
//!
//! Answers are untrusted input. Code that takes over this process through one can read the key directory, the certificates of
//! the machine and the files of its resolver, and write the files of the ledger, which a checkpoint that is kept elsewhere shows; it can open TCP sockets and no others, cannot listen, run a program or reach
//! another process. Each thread that serves a request can connect to the port of its endpoint and of name servers only, where
//! the kernel has Landlock for networks (6.7 and later).

use crate::resolver::{HOSTS_FILE, RESOLVER_FILE};
use landlock::{
    ABI, Access, AccessFs, AccessNet, NetPort, Ruleset, RulesetAttr, RulesetCreatedAttr, RulesetStatus, Scope,
    path_beneath_rules,
};
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
};
use std::collections::BTreeMap;
use std::error::Error;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// System calls that return EPERM. The listening socket is open by then, and accept(2) needs none of them.
const DENIED_SYSCALLS: [i64; 12] = [
    libc::SYS_bind,
    libc::SYS_listen,
    libc::SYS_socketpair,
    libc::SYS_sendmmsg,
    libc::SYS_io_uring_setup,
    libc::SYS_execve,
    libc::SYS_execveat,
    libc::SYS_pidfd_getfd,
    libc::SYS_pidfd_open,
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
];

/// Bit of the numbers of system calls of the x32 ABI, which a filter for x86-64 does not match by itself.
const X32_BIT: i64 = 0x4000_0000;

/// What is read besides keys: certificates, the files of the resolver where they may be links to, libraries.
const SYSTEM_PATHS: [&str; 17] = [
    "/usr/lib",
    "/usr/lib64",
    "/lib",
    "/lib64",
    "/etc/ld.so.cache",
    "/etc/ssl",
    "/etc/pki",
    "/etc/ca-certificates",
    "/usr/share/ca-certificates",
    "/usr/local/share/ca-certificates",
    RESOLVER_FILE,
    HOSTS_FILE,
    "/run/systemd/resolve",
    "/run/resolvconf",
    "/run/NetworkManager",
    "/proc/self",
    "/dev/urandom",
];

/// The state of the sandbox, as the view of the state of this process shows it.
#[derive(Clone, Debug)]
pub struct Sandbox {
    /// What it may connect to.
    pub network: String,
    /// What it may read.
    pub files: String,
}

/// Files and directories as they were when the sandbox was entered. Others that take their names later stay inaccessible, and
/// only the next process can read them.
#[derive(Debug)]
pub struct Accessible(Vec<(PathBuf, Option<(u64, u64)>)>);

impl Accessible {
    fn new(key_directory: &str, ledger_directory: &Path) -> Self {
        let ledger_directory = ledger_directory.to_str().unwrap_or_default();
        let paths =
            [RESOLVER_FILE, HOSTS_FILE, key_directory, ledger_directory].into_iter().filter(|path| !path.is_empty());
        Self(paths.map(|path| (PathBuf::from(path), identity(Path::new(path)))).collect())
    }

    /// Whether one of them was replaced.
    pub fn is_outdated(&self) -> bool {
        self.0.iter().any(|(path, known)| identity(path) != *known)
    }
}

fn identity(path: &Path) -> Option<(u64, u64)> {
    std::fs::metadata(path).ok().map(|file| (file.dev(), file.ino()))
}

/// Enters the sandbox. To be called once, before any thread is started; applies to all threads of the process.
pub fn enter(key_directory: &str, ledger_directory: &Path) -> (Sandbox, Accessible) {
    let accessible = Accessible::new(key_directory, ledger_directory);
    let files = restrict_files(key_directory, ledger_directory)
        .unwrap_or_else(|error| format!("open: Landlock failed: {error}"));
    let network = restrict_syscalls().map_or_else(
        |error| format!("open: seccomp failed: {error}"),
        |()| "TCP connections of its own only: seccomp refuses all other sockets, and listening".to_string(),
    );
    (Sandbox { network, files }, accessible)
}

/// Restricts the calling thread, for good, to TCP connections to these ports, where the kernel can.
///
/// # Errors
/// When the kernel can and refuses.
pub fn restrict_ports(ports: &[u16]) -> Result<(), Box<dyn Error + Send + Sync>> {
    let mut ruleset = Ruleset::default().handle_access(AccessNet::ConnectTcp)?.create()?;
    for port in ports {
        ruleset = ruleset.add_rule(NetPort::new(*port, AccessNet::ConnectTcp))?;
    }
    ruleset.restrict_self()?;
    Ok(())
}

fn restrict_files(key_directory: &str, ledger_directory: &Path) -> Result<String, Box<dyn Error>> {
    let abi = ABI::V6;
    let reading = AccessFs::from_read(abi);
    let keys = (!key_directory.is_empty()).then_some(key_directory);
    let status = Ruleset::default()
        .handle_access(AccessFs::from_all(abi))?
        .handle_access(AccessNet::BindTcp)?
        .scope(Scope::from_all(abi))?
        .create()?
        .add_rules(path_beneath_rules(SYSTEM_PATHS, reading))?
        .add_rules(path_beneath_rules(keys, reading))?
        .add_rules(path_beneath_rules([ledger_directory], AccessFs::from_all(abi)))?
        .restrict_self()?;
    let readable = "Landlock allows reading keys, certificates and the files of the resolver, writing the ledger";
    Ok(match status.ruleset {
        RulesetStatus::FullyEnforced => format!("closed: {readable}, and each request to connect to its own port"),
        RulesetStatus::PartiallyEnforced => format!("closed: {readable}; this kernel lacks its newest parts"),
        RulesetStatus::NotEnforced => "open: this kernel has no Landlock".to_string(),
    })
}

fn restrict_syscalls() -> Result<(), Box<dyn Error>> {
    let mut rules: BTreeMap<i64, Vec<SeccompRule>> = DENIED_SYSCALLS.into_iter().map(|call| (call, vec![])).collect();
    rules.insert(libc::SYS_socket, socket_rules()?);
    // A connection can be opened by sending, without connect(2), which Landlock sees.
    let fast_open = libc::MSG_FASTOPEN as u64;
    for (call, argument) in [(libc::SYS_sendto, 3), (libc::SYS_sendmsg, 2)] {
        let flag = condition(argument, SeccompCmpOp::MaskedEq(fast_open), fast_open)?;
        rules.insert(call, vec![SeccompRule::new(vec![flag])?]);
    }
    if cfg!(target_arch = "x86_64") {
        // None of the x32 ABI is needed, so none of these has conditions.
        let calls: Vec<i64> = rules.keys().chain([&libc::SYS_connect]).copied().collect();
        rules.extend(calls.into_iter().map(|call| (call | X32_BIT, vec![])));
    }
    let denied = SeccompAction::Errno(libc::EPERM.cast_unsigned());
    let filter = SeccompFilter::new(rules, SeccompAction::Allow, denied, std::env::consts::ARCH.try_into()?)?;
    seccompiler::apply_filter_all_threads(&BpfProgram::try_from(filter)?)?;
    Ok(())
}

/// Refuses every socket that is none of TCP over IPv4 or IPv6.
fn socket_rules() -> Result<Vec<SeccompRule>, Box<dyn Error>> {
    let all = [
        vec![
            condition(0, SeccompCmpOp::Ne, libc::AF_INET as u64)?,
            condition(0, SeccompCmpOp::Ne, libc::AF_INET6 as u64)?,
        ],
        vec![condition(2, SeccompCmpOp::Ne, 0)?, condition(2, SeccompCmpOp::Ne, libc::IPPROTO_TCP as u64)?],
    ];
    let mut rules: Vec<SeccompRule> = all.into_iter().map(SeccompRule::new).collect::<Result<_, _>>()?;
    // The type is in the lower four bits, flags are above them; there is no comparison for "these bits are not".
    for other in (0..16).filter(|kind| *kind != libc::SOCK_STREAM as u64) {
        rules.push(SeccompRule::new(vec![condition(1, SeccompCmpOp::MaskedEq(0xf), other)?])?);
    }
    Ok(rules)
}

fn condition(argument: u8, operator: SeccompCmpOp, value: u64) -> Result<SeccompCondition, Box<dyn Error>> {
    Ok(SeccompCondition::new(argument, SeccompCmpArgLen::Dword, operator, value)?)
}
