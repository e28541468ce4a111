//! ZIP archives, the container of Office documents and EPUB books. Every decompressed byte counts against the limit,
//! whatever size the central directory declares.

use crate::limits::Limits;
use socle_core::{Error, Kind, Result};
use std::collections::HashMap;
use std::io::{Cursor, Read};
use zip::ZipArchive;
use zip::result::ZipError;

/// Maximum number of entries. The central directory is read at once, so this bounds memory before anything is
/// decompressed.
const MAX_ENTRIES: usize = 100_000;

/// An archive in memory.
pub struct Archive<'a> {
    zip: ZipArchive<Cursor<&'a [u8]>>,
    /// Entries by name, normalised by [`folded`].
    names: HashMap<String, usize>,
}

impl<'a> Archive<'a> {
    /// Reads the central directory of an archive.
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

    /// Decompresses an entry; `None` if there is none of that name.
    ///
    /// # Errors
    /// [`Kind::DamagedDocument`]; [`Kind::NotSupported`] if it is encrypted; [`Kind::InputTooLong`] beyond the limit.
    pub fn read(&mut self, name: &str, limits: &mut Limits) -> Result<Option<Vec<u8>>> {
        let Some(at) = self.names.get(&folded(name)).copied() else { return Ok(None) };
        let mut bytes = Vec::new();
        self.unpack(at, limits, &mut bytes)?;
        Ok(Some(bytes))
    }

    /// Decompresses a mandatory entry.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub fn required(&mut self, name: &str, limits: &mut Limits) -> Result<Vec<u8>> {
        self.read(name, limits)?
            .ok_or_else(|| Error::new(Kind::DamagedDocument, format!("document has no part named \"{name}\"")))
    }

    /// Decompresses entries whose lower-case name satisfies `is_wanted` and discards the data, to check that another
    /// reader of the same entries stays within the limit.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub fn measure(&mut self, is_wanted: impl Fn(&str) -> bool, limits: &mut Limits) -> Result<()> {
        // Not from `names`, which merges entries that differ only in case.
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
            return Err(unpacks_to_too_much());
        }
        limits.unpacked -= usize::try_from(unpacked).unwrap_or(limits.unpacked);
        Ok(())
    }
}

/// The error for a document that decompresses to more than its limit.
pub fn unpacks_to_too_much() -> Error {
    Error::new(Kind::InputTooLong, "document decompresses to more data than is allowed")
        .hint("It may be crafted to exhaust the server. If it is genuine, save it again or print it to a PDF.")
}

/// The error for a document that needs a password or a licence.
pub fn encrypted() -> Error {
    Error::new(Kind::NotSupported, "document is encrypted").hint("Save it without a password.")
}

fn failed(error: &ZipError) -> Error {
    match error {
        ZipError::UnsupportedArchive(ZipError::PASSWORD_REQUIRED) | ZipError::InvalidPassword => encrypted(),
        _ => Error::new(Kind::DamagedDocument, "document is damaged").detail(error.to_string()),
    }
}

/// A name for comparison: lower case and with slashes, because part names are case-insensitive and some programs write
/// backslashes.
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
            (Kind::InputTooLong, "document decompresses to more data than is allowed")
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
