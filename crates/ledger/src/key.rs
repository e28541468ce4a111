//! The key of the keyed hashes: made once, read by sessions, shown to nobody.

use crate::fault::Fault;
use crate::hash::hexadecimal;
use crate::place;
use crate::writer::random;
use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// Makes the file if it is not there. To be called by one process at a time.
///
/// # Errors
/// Those of the file system.
pub fn make(path: &Path) -> Result<(), Fault> {
    if path.exists() {
        return Ok(());
    }
    let new = path.with_extension("new");
    let failed = |error| Fault::of_file("write", &new, &error);
    let key = format!("{}{}\n", hexadecimal(&random()?), hexadecimal(&random()?));
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&new).map_err(failed)?;
    file.write_all(key.as_bytes()).and_then(|()| file.sync_all()).map_err(failed)?;
    std::fs::rename(&new, path).map_err(|error| Fault::of_file("rename", &new, &error))?;
    path.parent().map_or(Ok(()), place::sync)
}

/// Reads the key.
///
/// # Errors
/// Those of the file system; a file that is too short.
pub fn read(path: &Path) -> Result<Vec<u8>, Fault> {
    let key = std::fs::read(path).map_err(|error| Fault::of_file("read", path, &error))?;
    let key = key.trim_ascii().to_vec();
    if key.len() < 32 {
        return Err(Fault::damage(format!("\"{}\" has fewer than 32 characters", path.display())));
    }
    Ok(key)
}
