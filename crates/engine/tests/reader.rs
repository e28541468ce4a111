//! What is left to a process that reads a document: memory and its socket.
#![allow(clippy::unwrap_used, missing_docs)]

use rustix::process::{PidfdFlags, pidfd_open};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;

#[test]
fn a_reader_has_memory_and_its_socket_and_nothing_else() {
    let (mut ours, mut theirs) = UnixStream::pair().unwrap();
    // The filter closes around the thread that asks for it.
    let reader = std::thread::spawn(move || {
        socle_engine::sandbox::enter_reader().unwrap();
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
        // As much memory as it likes, taken and given back.
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
