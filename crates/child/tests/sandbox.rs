//! The sandbox of the engine. A single test, because it applies to the whole process.
#![allow(clippy::unwrap_used, missing_docs)]

use rustix::process::{PidfdFlags, PidfdGetfdFlags};
use std::io::ErrorKind;
use std::net::{TcpStream, UdpSocket};
use std::os::unix::net::UnixStream;

#[test]
fn the_sandbox_leaves_reading_models_and_nothing_else() {
    let models = std::env::temp_dir().join(format!("socle-sandbox-{}", std::process::id()));
    std::fs::create_dir_all(&models).unwrap();
    std::fs::write(models.join("model"), "bytes").unwrap();
    let missing = models.join("elsewhere/models");

    let cache = models.join("cache");
    std::fs::create_dir(&cache).unwrap();

    let sandbox = socle_child::sandbox::enter(&[&models], Some(&cache));
    assert!(sandbox.network.starts_with("closed"), "{}", sandbox.network);
    let denied = |error: std::io::Error| assert_eq!(error.kind(), ErrorKind::PermissionDenied, "{error}");
    denied(TcpStream::connect("127.0.0.1:1").unwrap_err());
    denied(UdpSocket::bind("127.0.0.1:0").unwrap_err());
    denied(UnixStream::connect("/tmp/.s.PGSQL.5432").unwrap_err());
    denied(std::process::Command::new("/bin/true").spawn().unwrap_err());
    // A descriptor of this process itself, which it could duplicate without the sandbox.
    let own = rustix::process::pidfd_open(rustix::process::getpid(), PidfdFlags::empty()).unwrap();
    denied(rustix::process::pidfd_getfd(&own, 0, PidfdGetfdFlags::empty()).unwrap_err().into());
    assert_eq!(std::fs::read(models.join("model")).unwrap(), b"bytes");
    // Without Landlock in the kernel, the sandbox reports that files are open.
    if sandbox.files.starts_with("closed") {
        denied(std::fs::read("/etc/passwd").unwrap_err());
        denied(std::fs::write(models.join("model"), "other").unwrap_err());
        denied(std::fs::remove_file(models.join("model")).unwrap_err());
        denied(std::fs::create_dir(cache.join("directory")).unwrap_err());
        denied(std::os::unix::fs::symlink("/etc/passwd", cache.join("link")).unwrap_err());
    } else {
        assert!(sandbox.files.contains("Landlock"), "{}", sandbox.files);
    }
    std::fs::write(cache.join("part"), "segment").unwrap();
    std::fs::rename(cache.join("part"), cache.join("segment")).unwrap();
    assert_eq!(std::fs::read(cache.join("segment")).unwrap(), b"segment");
    std::fs::remove_file(cache.join("segment")).unwrap();
    assert!(sandbox.missing.is_empty());
    assert_eq!(socle_child::sandbox::enter(&[&missing, &models], Some(&cache)).missing, [missing]);
}
