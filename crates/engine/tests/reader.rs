//! The sandbox of a document reader: it can use memory and its socket.
#![allow(clippy::unwrap_used, missing_docs)]

use rustix::process::{PidfdFlags, pidfd_open};
use std::ffi::{c_int, c_long, c_ulong};
use std::io::{ErrorKind, Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;

/// The result of a system call that has to be denied.
fn assert_denied(what: &str, result: c_long) {
    let error = std::io::Error::last_os_error();
    assert_eq!((result, error.raw_os_error()), (-1, Some(libc::EPERM)), "{what}: {error}");
}

/// Tries to make another process the owner of a socket that signals its input, by which the kernel would send it a signal
/// without a check of permissions.
fn signals_of_the_kernel_are_denied(socket: &UnixStream) {
    let socket = socket.as_raw_fd();
    let parent = rustix::process::getppid().unwrap().as_raw_nonzero().get();
    let owner = [c_int::from(2), parent];
    let commands = [
        ("F_SETOWN", libc::F_SETOWN, c_ulong::from(parent.cast_unsigned())),
        ("F_SETOWN_EX", 15, owner.as_ptr() as c_ulong),
        ("F_SETSIG", 10, libc::SIGKILL as c_ulong),
        ("O_ASYNC", libc::F_SETFL, libc::O_ASYNC as c_ulong),
        ("F_DUPFD", libc::F_DUPFD, 0),
        ("F_NOTIFY", 1026, 1),
    ];
    for (name, command, argument) in commands {
        // SAFETY: a refused call touches nothing.
        assert_denied(name, unsafe { libc::syscall(libc::SYS_fcntl, socket, command, argument) });
    }
    let mut on: c_int = 1;
    for (name, command) in [("FIOASYNC", 0x5452), ("FIOSETOWN", 0x8901), ("SIOCSPGRP", 0x8902)] {
        // SAFETY: as above.
        assert_denied(name, unsafe { libc::syscall(libc::SYS_ioctl, socket, command, &raw mut on) });
    }
}

/// Tries to create processes and descriptors, to gain rights, and to send signals.
fn calls_that_make_more_are_denied() {
    let own = c_long::from(std::process::id());
    let calls = [
        ("kill", libc::SYS_kill, [own, 0]),
        ("tkill", libc::SYS_tkill, [own, 0]),
        ("rt_sigqueueinfo", libc::SYS_rt_sigqueueinfo, [own, 0]),
        ("rt_tgsigqueueinfo", libc::SYS_rt_tgsigqueueinfo, [own, own]),
        ("pidfd_send_signal", libc::SYS_pidfd_send_signal, [0, 0]),
        ("timer_create", libc::SYS_timer_create, [0, 0]),
        ("prctl", libc::SYS_prctl, [libc::PR_SET_DUMPABLE.into(), 1]),
        ("memfd_create", libc::SYS_memfd_create, [0, 0]),
        ("io_uring_setup", libc::SYS_io_uring_setup, [1, 0]),
        ("clone", libc::SYS_clone, [0, 0]),
        ("clone3", libc::SYS_clone3, [0, 0]),
        ("unshare", libc::SYS_unshare, [libc::CLONE_NEWUSER.into(), 0]),
        ("setpriority", libc::SYS_setpriority, [0, 0]),
        ("setrlimit", libc::SYS_setrlimit, [0, 0]),
        ("prlimit64", libc::SYS_prlimit64, [0, 0]),
        ("ptrace", libc::SYS_ptrace, [0, own]),
        ("sendmsg", libc::SYS_sendmsg, [0, 0]),
        ("recvmsg", libc::SYS_recvmsg, [0, 0]),
        ("dup", libc::SYS_dup, [0, 0]),
        ("bpf", libc::SYS_bpf, [0, 0]),
        ("userfaultfd", libc::SYS_userfaultfd, [0, 0]),
        ("seccomp", libc::SYS_seccomp, [0, 0]),
    ];
    for (name, call, [first, second]) in calls {
        // SAFETY: a refused call touches nothing.
        assert_denied(name, unsafe { libc::syscall(call, first, second, 0, 0, 0, 0) });
    }
    // Another process: signals to this one are allowed for abort(3).
    // SAFETY: as above.
    assert_denied("tgkill", unsafe { libc::syscall(libc::SYS_tgkill, 1, 1, 0) });
}

#[test]
fn a_reader_has_memory_and_its_socket_and_nothing_else() {
    let (mut ours, mut theirs) = UnixStream::pair().unwrap();
    // The filter applies to the calling thread only.
    let reader = std::thread::spawn(move || {
        socle_child::sandbox::enter_reader().unwrap();
        let denied = |error: std::io::Error| assert_eq!(error.kind(), ErrorKind::PermissionDenied, "{error}");
        denied(std::fs::read("/etc/passwd").unwrap_err());
        denied(std::fs::write("/tmp/socle-reader", "x").unwrap_err());
        denied(std::fs::read_dir("/").unwrap_err());
        denied(std::net::UdpSocket::bind("127.0.0.1:0").unwrap_err());
        denied(UnixStream::pair().unwrap_err());
        denied(std::process::Command::new("/bin/true").spawn().unwrap_err());
        denied(std::thread::Builder::new().spawn(|| ()).map(drop).unwrap_err());
        denied(pidfd_open(rustix::process::getpid(), PidfdFlags::empty()).unwrap_err().into());
        denied(rustix::process::test_kill_process(rustix::process::getppid().unwrap()).unwrap_err().into());
        signals_of_the_kernel_are_denied(&theirs);
        calls_that_make_more_are_denied();
        // Memory may be allocated and freed.
        drop(vec![1_u8; 64 << 20]);
        let mut document = [0; 8];
        theirs.read_exact(&mut document).unwrap();
        theirs.write_all(&document).unwrap();
    });
    ours.write_all(b"document").unwrap();
    let mut answer = [0; 8];
    ours.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"document");
    reader.join().unwrap();
}
