//! Zip archives, the shell of Office documents and books. Nothing in them is trusted: every byte that is unpacked counts
//! against the limit, whatever the directory of the archive says about sizes.

use crate::Limits;
use socle_core::{Error, Kind, Result};
use std::collections::HashMap;
use std::io::{Cursor, Read};
use zip::ZipArchive;
use zip::result::ZipError;

/// Most entries. The directory is read at once, so it is what bounds memory before anything is unpacked.
const MAX_ENTRIES: usize = 100_000;

/// An archive in memory.
pub struct Archive<'a> {
    zip: ZipArchive<Cursor<&'a [u8]>>,
    /// Entries by their names as [`folded`] writes them.
    names: HashMap<String, usize>,
}

impl<'a> Archive<'a> {
    /// Reads the directory of an archive.
    ///
    /// # Errors
    /// [`Kind::DamagedDocument`], or [`Kind::NotSupported`] if it is encrypted.
    pub fn open(bytes: &'a [u8]) -> Result<Self> {
        let zip = ZipArchive::new(Cursor::new(bytes)).map_err(|error| failed(&error))?;
        if zip.len() > MAX_ENTRIES {
            return Err(Error::new(Kind::InputTooLong, format!("document has more than {MAX_ENTRIES} parts")));
        }
        let names = zip.file_names().enumerate().filter_map(|(at, name)| Some((folded(&name.ok()?), at))).collect();
        Ok(Self { zip, names })
    }

    /// Unpacks an entry, `None` if there is none of that name.
    ///
    /// # Errors
    /// [`Kind::DamagedDocument`]; [`Kind::NotSupported`] if it is encrypted; [`Kind::InputTooLong`] beyond the limit.
    pub fn read(&mut self, name: &str, limits: &mut Limits) -> Result<Option<Vec<u8>>> {
        let Some(at) = self.names.get(&folded(name)).copied() else { return Ok(None) };
        let mut bytes = Vec::new();
        self.unpack(at, limits, &mut bytes)?;
        Ok(Some(bytes))
    }

    /// Unpacks an entry without which the document is none.
    ///
    /// # Errors
    /// See [`Self::read`].
    pub fn required(&mut self, name: &str, limits: &mut Limits) -> Result<Vec<u8>> {
        self.read(name, limits)?
            .ok_or_else(|| Error::new(Kind::DamagedDocument, format!("document has no part named \"{name}\"")))
    }

    /// Unpacks entries whose name, in lower case, is wanted into nothing, so that another reader of the same entries
    /// stays within the limit.
    ///
    /// # Errors
    /// See [`Self::read`].
    pub fn measure(&mut self, is_wanted: impl Fn(&str) -> bool, limits: &mut Limits) -> Result<()> {
        // Not from `names`, which has one of those that differ in case only.
        let names = self.zip.file_names().enumerate();
        let wanted: Vec<usize> = names
            .filter(|(_, name)| name.as_ref().is_ok_and(|name| is_wanted(&folded(name))))
            .map(|(at, _)| at)
            .collect();
        wanted.into_iter().try_for_each(|at| self.unpack(at, limits, &mut std::io::sink()))
    }

    fn unpack(&mut self, at: usize, limits: &mut Limits, to: &mut impl std::io::Write) -> Result<()> {
        let entry = self.zip.by_index(at).map_err(|error| failed(&error))?;
        let most = limits.unpacked as u64;
        let unpacked = std::io::copy(&mut entry.take(most.saturating_add(1)), to)
            .map_err(|error| Error::new(Kind::DamagedDocument, "document is damaged").detail(error.to_string()))?;
        if unpacked > most {
            return Err(too_much());
        }
        limits.unpacked -= usize::try_from(unpacked).unwrap_or(limits.unpacked);
        Ok(())
    }
}

/// The error for documents that unpack to far more than documents of their length do.
pub fn too_much() -> Error {
    Error::new(Kind::InputTooLong, "document unpacks to more than it should")
        .hint("It may be made to exhaust the server. If it is sound, save it anew or print it to a PDF.")
}

/// The error for documents that need a password or a licence.
pub fn encrypted() -> Error {
    Error::new(Kind::NotSupported, "document is encrypted").hint("Save it without a password.")
}

fn failed(error: &ZipError) -> Error {
    match error {
        ZipError::UnsupportedArchive(ZipError::PASSWORD_REQUIRED) | ZipError::InvalidPassword => encrypted(),
        _ => Error::new(Kind::DamagedDocument, "document is damaged").detail(error.to_string()),
    }
}

/// A name as it is compared: names of parts differ in nothing but case never, and some programs write backslashes.
fn folded(name: &str) -> String {
    name.replace('\\', "/").trim_start_matches('/').to_lowercase()
}

#[cfg(test)]
pub mod tests {
    use super::*;
    use std::io::Write;
    use zip::write::SimpleFileOptions;

    /// An archive of these entries.
    pub fn packed(entries: &[(&str, &[u8])]) -> Vec<u8> {
        let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
        for (name, bytes) in entries {
            zip.start_file(*name, SimpleFileOptions::default()).unwrap();
            zip.write_all(bytes).unwrap();
        }
        zip.finish().unwrap().into_inner()
    }

    fn limits(unpacked: usize) -> Limits {
        Limits { output: 1 << 20, unpacked, depth: 4 }
    }

    #[test]
    fn entries_are_found_whatever_their_case_and_slashes() {
        let bytes = packed(&[("Word\\Document.xml", b"text")]);
        let mut archive = Archive::open(&bytes).unwrap();
        assert_eq!(archive.read("/word/document.xml", &mut limits(4)).unwrap().unwrap(), b"text");
        assert!(archive.read("word/styles.xml", &mut limits(4)).unwrap().is_none());
    }

    #[test]
    fn all_that_is_unpacked_counts() {
        let bytes = packed(&[("a", &[0; 600]), ("b", &[0; 600])]);
        let mut archive = Archive::open(&bytes).unwrap();
        let mut limits = limits(1000);
        assert_eq!(archive.required("a", &mut limits).unwrap().len(), 600);
        let error = archive.required("b", &mut limits).unwrap_err();
        assert_eq!(
            (error.kind, error.message.as_str()),
            (Kind::InputTooLong, "document unpacks to more than it should")
        );
        assert_eq!(archive.measure(|name| name == "b", &mut limits).unwrap_err().kind, Kind::InputTooLong);
    }

    #[test]
    fn the_size_in_the_directory_is_not_believed() {
        let mut bytes = packed(&[("a", &[0; 100_000])]);
        let size = 100_000u32.to_le_bytes();
        while let Some(at) = bytes.windows(4).position(|window| window == size) {
            bytes[at..at + 4].copy_from_slice(&10u32.to_le_bytes());
        }
        let read = Archive::open(&bytes).unwrap().read("a", &mut limits(1000));
        assert!(read.is_err(), "{read:?}");
    }
}
