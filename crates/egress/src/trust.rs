//! The keys of endpoints, and the certificates that are trusted. Read from files for each request, by this process alone, so
//! that a key can be replaced at any time; never sent to a backend, never logged.

use rustls::CertificateError;
use socle_core::endpoint::EndpointSpec;
use socle_core::{Error, Kind, Result};
use std::fs::File;
use std::io::Read;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use ureq::tls::{Certificate, PemItem, parse_pem};

/// Largest file with a key, and with certificates, in bytes.
const MAX_KEY: u64 = 16 << 10;
const MAX_CERTIFICATES: u64 = 16 << 20;

/// Files with the certificate authorities of the machine: Debian and Alpine, Red Hat, SUSE. The first that exists counts.
pub const STORES: [&str; 4] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// The key of an endpoint.
pub struct Key(String);

impl Key {
    /// The key, for the header of a request.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Key(…)")
    }
}

/// Why a certificate is not trusted. In words of our own: what the library says repeats names that the server has chosen.
pub fn distrust(error: &CertificateError) -> &'static str {
    use CertificateError as Reason;
    match error {
        Reason::Expired | Reason::ExpiredContext { .. } => "it has expired",
        Reason::NotValidYet | Reason::NotValidYetContext { .. } => "it is not valid yet",
        Reason::Revoked => "it was revoked",
        Reason::UnknownIssuer => "its authority is not known",
        Reason::NotValidForName | Reason::NotValidForNameContext { .. } => "it is for other hosts",
        Reason::InvalidPurpose | Reason::InvalidPurposeContext { .. } => "it is not one for servers",
        Reason::BadSignature => "its signature is wrong",
        Reason::BadEncoding => "it is damaged",
        _ => "it is not one that can be checked",
    }
}

/// The key of an endpoint, if it has one.
///
/// # Errors
/// `MissingFile`, `UnreadableFile`; `NotPermitted` for a file that others may read. None says what is in it.
pub fn key(directory: &str, endpoint: &EndpointSpec) -> Result<Option<Key>> {
    let Some(name) = &endpoint.key_file else { return Ok(None) };
    let path = path(directory, name)?;
    let file = open(&path)?;
    let metadata = file.metadata().map_err(|error| unreadable(&path, &error.to_string()))?;
    if metadata.mode() & 0o007 != 0 {
        return Err(Error::new(
            Kind::NotPermitted,
            format!("key file \"{}\" is accessible to everybody", path.display()),
        )
        .hint("Take the rights of others away: chmod o= and the name of the file."));
    }
    let text = read(file, &path, MAX_KEY)?;
    let key = text.trim();
    if key.is_empty() || !key.bytes().all(|byte| (0x21..0x7f).contains(&byte)) {
        return Err(unreadable(&path, "It must hold one key of printable ASCII characters, and nothing else."));
    }
    Ok(Some(Key(key.to_string())))
}

/// The certificate authorities that an endpoint may show a certificate of.
///
/// # Errors
/// `MissingFile`, `UnreadableFile`.
pub fn authorities(directory: &str, endpoint: &EndpointSpec) -> Result<Vec<Certificate<'static>>> {
    let path = match &endpoint.ca_file {
        Some(name) => path(directory, name)?,
        None => STORES.iter().map(PathBuf::from).find(|path| path.exists()).ok_or_else(|| {
            Error::new(Kind::MissingFile, "this machine has no file with certificate authorities")
                .hint("Install the package ca-certificates, or register the endpoint with ca_file.")
        })?,
    };
    let text = read(open(&path)?, &path, MAX_CERTIFICATES)?;
    let certificates: Vec<Certificate<'static>> = parse_pem(text.as_bytes())
        .filter_map(|item| match item {
            Ok(PemItem::Certificate(certificate)) => Some(certificate),
            _ => None,
        })
        .collect();
    if certificates.is_empty() {
        return Err(unreadable(&path, "It has no certificate in the format PEM."));
    }
    Ok(certificates)
}

fn path(directory: &str, name: &str) -> Result<PathBuf> {
    if directory.is_empty() {
        return Err(Error::new(Kind::MissingFile, "socle.egress_key_directory is not set")
            .detail(format!("The endpoint has its file \"{name}\" there."))
            .hint("Set it to a directory that the server may read, and reload."));
    }
    Ok(Path::new(directory).join(name))
}

fn open(path: &Path) -> Result<File> {
    // Opening a pipe would wait for who writes to it.
    let file =
        File::options().read(true).custom_flags(libc::O_NONBLOCK).open(path).map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => {
                Error::new(Kind::MissingFile, format!("file \"{}\" does not exist", path.display()))
                    .hint("Files of endpoints are in socle.egress_key_directory.")
            }
            _ => unreadable(path, &error.to_string()),
        })?;
    match file.metadata() {
        Ok(metadata) if metadata.is_file() => Ok(file),
        _ => Err(unreadable(path, "It is not a regular file.")),
    }
}

fn read(file: File, path: &Path, most: u64) -> Result<String> {
    let mut bytes = Vec::new();
    file.take(most + 1).read_to_end(&mut bytes).map_err(|error| unreadable(path, &error.to_string()))?;
    if bytes.len() as u64 > most {
        return Err(unreadable(path, &format!("It has more than {most} bytes.")));
    }
    // Without the error, which would show bytes of the file.
    String::from_utf8(bytes).map_err(|_| unreadable(path, "It is not text."))
}

fn unreadable(path: &Path, detail: &str) -> Error {
    Error::new(Kind::UnreadableFile, format!("could not read \"{}\"", path.display())).detail(detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pipe_is_no_file_and_is_not_waited_for() {
        let directory = std::env::temp_dir().join(format!("socle-trust-{}", std::process::id()));
        std::fs::create_dir_all(&directory).unwrap();
        let pipe = directory.join("pipe");
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        for path in [&pipe, &directory] {
            let error = open(path).unwrap_err();
            assert_eq!(error.kind, Kind::UnreadableFile, "{error}");
        }
        assert_eq!(open(&directory.join("none")).unwrap_err().kind, Kind::MissingFile);
        std::fs::remove_dir_all(&directory).unwrap();
    }
}
