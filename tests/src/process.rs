//! Processes of a server, as the system shows them.

use crate::{command, run};
use std::fs;

pub fn processes() -> impl Iterator<Item = u32> {
    fs::read_dir("/proc").unwrap().filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
}

pub fn parent(pid: u32) -> Option<u32> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name in parentheses may contain anything.
    stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()
}

pub fn is_running(pid: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(')').is_some_and(|(_, rest)| !rest.trim_start().starts_with('Z'))
}

pub fn signal(pid: u32, signal: i32) {
    // SAFETY: plain system call on a process of the test.
    unsafe { libc::kill(pid.cast_signed(), signal) };
}

/// Limits the address space of a process of the server to what it has now and `more` bytes.
pub fn limit_memory(pid: u32, more: u64) {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let size = status.lines().find_map(|line| line.strip_prefix("VmSize:")).unwrap();
    let kilobytes: u64 = size.trim().trim_end_matches(" kB").parse().unwrap();
    run(command("prlimit").args(["--pid", &pid.to_string(), &format!("--as={}", kilobytes * 1024 + more)]));
}

/// Whether no process is attached to a segment of System V shared memory, or it is gone.
pub fn nobody_holds(shared_memory: i32) -> bool {
    // SAFETY: plain system call that writes the structure.
    unsafe {
        let mut state: libc::shmid_ds = std::mem::zeroed();
        libc::shmctl(shared_memory, libc::IPC_STAT, &raw mut state) != 0 || state.shm_nattch == 0
    }
}
