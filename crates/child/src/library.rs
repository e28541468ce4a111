//! Who may write a library whose code a child of the supervisor runs.

use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// Checks that only root or the server's user can write the library.
///
/// # Errors
/// A sentence that says why not.
pub fn check_owner(library: &Path) -> Result<(), String> {
    let file = library.metadata().map_err(|error| error.to_string())?;
    let owner = rustix::process::geteuid().as_raw();
    if file.uid() != 0 && file.uid() != owner {
        return Err(format!("\"{}\" belongs neither to root nor to the server's user.", library.display()));
    }
    if file.mode() & 0o022 != 0 {
        return Err(format!("\"{}\" can be written by others than its owner.", library.display()));
    }
    Ok(())
}
