//! `socle_internal.process_report`: what the kernel enforces for each process of this server at the moment, as it says itself
//! in `/proc`, and which internet sockets each has.

use crate::pg::backend;
use crate::pg::error::report;
use crate::pg::run_as::may_act_as;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;
use socle_core::{Error, Kind, Result};
use std::collections::{HashMap, HashSet};

/// A row of the result.
type Processes = TableIterator<
    'static,
    (
        name!(pid, i32),
        name!(parent, i32),
        name!(name, String),
        name!(seccomp, Option<String>),
        name!(no_new_privileges, Option<bool>),
        name!(internet_sockets, Option<i64>),
        name!(outgoing_connections, Option<i64>),
    ),
>;

/// State of a TCP socket that waits for connections, as the kernel writes it (include/net/tcp_states.h).
const LISTENING: &str = "0A";

#[pg_extern(sql = false)]
fn process_report() -> Result<Processes, ErrorReport> {
    if !may_act_as(pg_sys::Oid::from(pg_sys::ROLE_PG_READ_ALL_STATS)) {
        return Err(report(
            Error::new(Kind::NotPermitted, "the processes of the server are shown to members of pg_read_all_stats")
                .hint("A superuser can GRANT pg_monitor to the role."),
        ));
    }
    let sockets = Sockets::read();
    let parents = parents();
    let mut rows: Vec<_> = descendants(&parents, i32::try_from(backend::postmaster_pid()).unwrap_or_default())
        .into_iter()
        .map(|pid| {
            let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
            let field = |name: &str| {
                let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
                line.map(str::trim).map(str::to_string)
            };
            let (all, outgoing) = sockets.of(pid).unzip();
            let parent = parents.get(&pid).copied().unwrap_or_default();
            (
                pid,
                parent,
                name(pid),
                field("Seccomp").map(seccomp),
                field("NoNewPrivs").map(|flag| flag == "1"),
                all,
                outgoing,
            )
        })
        // One that has ended meanwhile has no name.
        .filter(|row| !row.2.is_empty())
        .collect();
    rows.sort_by_key(|row| row.0);
    Ok(TableIterator::new(rows))
}

/// The mode of seccomp, in words.
fn seccomp(mode: String) -> String {
    match mode.as_str() {
        "0" => "none".into(),
        "1" => "strict".into(),
        "2" => "filter".into(),
        _ => mode,
    }
}

/// What a process is called: the title that a process of PostgreSQL has given itself, else the name of its program.
fn name(pid: i32) -> String {
    let title = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let title = String::from_utf8_lossy(&title).split('\0').next().unwrap_or_default().trim().to_string();
    if title.starts_with("postgres: ") {
        return title;
    }
    std::fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default().trim().to_string()
}

/// The parent of each process of the machine that can be seen.
fn parents() -> HashMap<i32, i32> {
    let mut parents = HashMap::new();
    for entry in std::fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse::<i32>().ok()) else { continue };
        let stat = std::fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
        // The name of the program, in parentheses, may contain anything.
        let rest = stat.rsplit(')').next().unwrap_or_default();
        if let Some(parent) = rest.split_whitespace().nth(1).and_then(|parent| parent.parse().ok()) {
            parents.insert(pid, parent);
        }
    }
    parents
}

/// A process and all its descendants.
fn descendants(parents: &HashMap<i32, i32>, first: i32) -> Vec<i32> {
    let mut found = vec![first];
    let mut at = 0;
    while let Some(parent) = found.get(at).copied() {
        found.extend(parents.iter().filter(|(_, of)| **of == parent).map(|(pid, _)| *pid));
        at += 1;
    }
    found
}

/// The internet sockets of the network namespace of this process, in which all processes of the server are.
#[derive(Debug, Default)]
struct Sockets {
    /// All, by inode.
    all: HashSet<u64>,
    /// TCP connections that nobody has made to a port where this machine listens.
    outgoing: HashSet<u64>,
}

impl Sockets {
    fn read() -> Self {
        let mut sockets = Self::default();
        let mut connections: Vec<(u64, String)> = Vec::new();
        let mut listening: HashSet<String> = HashSet::new();
        for protocol in ["tcp", "tcp6", "udp", "udp6", "raw", "raw6"] {
            let table = std::fs::read_to_string(format!("/proc/self/net/{protocol}")).unwrap_or_default();
            for line in table.lines().skip(1) {
                let fields: Vec<&str> = line.split_whitespace().collect();
                let (Some(local), Some(state), Some(Ok(inode))) =
                    (fields.get(1), fields.get(3), fields.get(9).map(|inode| inode.parse::<u64>()))
                else {
                    continue;
                };
                sockets.all.insert(inode);
                let port = local.rsplit(':').next().unwrap_or_default().to_string();
                match (protocol.starts_with("tcp"), *state == LISTENING) {
                    (true, true) => drop(listening.insert(port)),
                    (true, false) => connections.push((inode, port)),
                    _ => {}
                }
            }
        }
        let made = connections.into_iter().filter(|(_, port)| !listening.contains(port));
        sockets.outgoing = made.map(|(inode, _)| inode).collect();
        sockets
    }

    /// Internet sockets and outgoing connections of a process; `None` where its descriptors cannot be read.
    fn of(&self, pid: i32) -> Option<(i64, i64)> {
        let (mut all, mut outgoing) = (0, 0);
        for entry in std::fs::read_dir(format!("/proc/{pid}/fd")).ok()?.flatten() {
            let target = std::fs::read_link(entry.path()).unwrap_or_default();
            let inode =
                target.to_str().and_then(|target| target.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok());
            all += i64::from(inode.is_some_and(|inode: u64| self.all.contains(&inode)));
            outgoing += i64::from(inode.is_some_and(|inode: u64| self.outgoing.contains(&inode)));
        }
        Some((all, outgoing))
    }
}
