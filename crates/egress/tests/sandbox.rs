//! What the sandbox leaves: TCP connections to the ports of a request, and reading a few files. Tried from inside, in a process
//! of its own, because nobody can leave it again.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

mod support;

use rustix::net::{AddressFamily, SocketType, socket};
use socle_egress::sandbox;
use std::fs::File;
use std::io::ErrorKind;
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::process::Command;
use support::Scratch;

const KEYS: &str = "SOCLE_TEST_KEYS";

#[test]
fn it_has_tcp_connections_and_few_files() {
    let scratch = Scratch::new();
    scratch.write("key", "k");
    let tests = std::env::current_exe().unwrap();
    let output = Command::new(tests)
        .args(["--exact", "inside", "--include-ignored", "--nocapture"])
        .env(KEYS, &scratch.0)
        .output()
        .unwrap();
    let printed = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && printed.contains("1 passed"), "{printed}");
}

#[test]
#[ignore = "run by the other test, in a process of its own"]
fn inside() {
    let keys = std::env::var(KEYS).unwrap();
    let ledger = std::path::Path::new(&keys).join("ledger");
    std::fs::create_dir(&ledger).unwrap();
    let listeners = [TcpListener::bind("127.0.0.1:0").unwrap(), TcpListener::bind("127.0.0.1:0").unwrap()];
    let [first, second] = listeners.each_ref().map(|listener| listener.local_addr().unwrap());
    let (sandbox, accessible) = sandbox::enter(&keys, &ledger);
    assert!(sandbox.network.starts_with("TCP connections"), "{sandbox:?}");
    assert!(!accessible.is_outdated());
    let is_refused = |result: std::io::Result<()>, what: &str| {
        assert_eq!(result.map_err(|error| error.kind()), Err(ErrorKind::PermissionDenied), "{what}");
    };
    let open = |family, kind| socket(family, kind, None).map(drop).map_err(std::io::Error::from);
    for (family, kind) in [
        (AddressFamily::INET, SocketType::DGRAM),
        (AddressFamily::INET6, SocketType::DGRAM),
        (AddressFamily::INET, SocketType::RAW),
        (AddressFamily::INET, SocketType::SEQPACKET),
        (AddressFamily::UNIX, SocketType::STREAM),
        (AddressFamily::NETLINK, SocketType::RAW),
        (AddressFamily::PACKET, SocketType::RAW),
        (AddressFamily::VSOCK, SocketType::STREAM),
    ] {
        is_refused(open(family, kind), &format!("{family:?} {kind:?}"));
    }
    for protocol in [rustix::net::ipproto::SCTP, rustix::net::ipproto::MPTCP] {
        let opened = socket(AddressFamily::INET, SocketType::STREAM, Some(protocol));
        is_refused(opened.map(drop).map_err(Into::into), &format!("{protocol:?}"));
    }
    is_refused(UdpSocket::bind("127.0.0.1:0").map(drop), "UDP");
    is_refused(TcpListener::bind("127.0.0.1:0").map(drop), "listening");
    is_refused(UnixDatagram::unbound().map(drop), "a Unix socket");
    is_refused(UnixStream::pair().map(drop), "a pair of sockets");
    is_refused(Command::new("/bin/true").status().map(drop), "a program");
    assert!(TcpStream::connect(first).is_ok() && TcpStream::connect(second).is_ok());
    if sandbox.files.starts_with("closed") {
        assert!(File::open(format!("{keys}/key")).is_ok() && File::open("/etc/hosts").is_ok());
        is_refused(File::open("/etc/passwd").map(drop), "another file");
        is_refused(std::fs::write(format!("{keys}/new"), "x"), "writing");
        std::fs::write(ledger.join("new"), "x").unwrap();
    }
    if sandbox.files.contains("its own port") {
        sandbox::restrict_ports(&[first.port()]).unwrap();
        assert!(TcpStream::connect(first).is_ok());
        is_refused(TcpStream::connect(second).map(drop), "another port");
        // Another thread has its own request, and its own ports.
        let other = std::thread::scope(|scope| scope.spawn(|| TcpStream::connect(second).is_ok()).join().unwrap());
        assert!(!other, "threads that this one starts are restricted like it");
    }
}
