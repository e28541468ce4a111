//! The properties of a message, a recipient or an attachment (MS-OXMSG): fixed-length properties in one stream, each of
//! the others in a stream named after it.

use crate::archive::unpacks_to_too_much;
use crate::encoding::{code_page, decode};
use cfb::CompoundFile;
use socle_core::{Error, Kind, Result};
use std::io::{Cursor, Read};

/// Property types.
const TEXT: u32 = 0x001f;
const TEXT_8: u32 = 0x001e;
const BINARY: u32 = 0x0102;
const NUMBER: u32 = 0x0003;
const TIME: u32 = 0x0040;

/// Maximum size of the property stream in bytes: some thousand properties.
const MAX_FIXED: usize = 1 << 16;
/// Seconds between the Windows epoch (1601) and the Unix epoch (1970).
const TO_1970: i64 = 11_644_473_600;

/// A compound file, and the number of bytes that may still be read from it, because streams may share sectors.
pub(super) struct Store<'a> {
    file: CompoundFile<Cursor<&'a [u8]>>,
    pub(super) left: usize,
}

impl<'a> Store<'a> {
    pub(super) fn open(bytes: &'a [u8], left: usize) -> Result<Self> {
        let file = CompoundFile::open(Cursor::new(bytes))
            .map_err(|error| Error::new(Kind::DamagedDocument, "message cannot be read").detail(error.to_string()))?;
        Ok(Self { file, left })
    }

    /// Sorted paths of the storages in `path` whose names start with `start`.
    pub(super) fn storages(&self, path: &str, start: &str) -> Vec<String> {
        let Ok(entries) = self.file.read_storage(path) else { return Vec::new() };
        let names = entries.filter(|entry| entry.is_storage() && entry.name().starts_with(start));
        let mut paths: Vec<String> = names.map(|entry| join(path, entry.name())).collect();
        paths.sort();
        paths
    }

    /// The content of a stream as far as it can be read; `None` if it does not exist.
    fn stream(&mut self, path: &str) -> Result<Option<Vec<u8>>> {
        let Ok(stream) = self.file.open_stream(path) else { return Ok(None) };
        let mut bytes = Vec::new();
        let most = u64::try_from(self.left).unwrap_or(u64::MAX);
        // Keeps the data read before an error.
        let _ = stream.take(most.saturating_add(1)).read_to_end(&mut bytes);
        self.left = self.left.checked_sub(bytes.len()).ok_or_else(unpacks_to_too_much)?;
        Ok(Some(bytes))
    }
}

fn join(path: &str, name: &str) -> String {
    format!("{}/{name}", path.trim_end_matches('/'))
}

/// The properties in one storage.
pub(super) struct Properties {
    path: String,
    fixed: Vec<u8>,
    /// Size of the header in bytes.
    head: usize,
    /// Encoding of 8-bit strings.
    charset: Option<String>,
}

impl Properties {
    /// Reads the properties of the storage `path`. `head`: size of the header in bytes, which depends on the kind of
    /// storage.
    pub(super) fn read(store: &mut Store<'_>, path: &str, head: usize, charset: Option<String>) -> Result<Self> {
        let fixed = store.stream(&join(path, "__properties_version1.0"))?.unwrap_or_default();
        if fixed.len() > MAX_FIXED {
            return Err(Error::new(Kind::DamagedDocument, "message has too many properties"));
        }
        let mut properties = Self { path: path.to_string(), fixed, head, charset };
        let page = properties.number(0x3fde).or_else(|| properties.number(0x3ffd));
        properties.charset = page.and_then(code_page).or(properties.charset);
        Ok(properties)
    }

    pub(super) fn charset(&self) -> Option<String> {
        self.charset.clone()
    }

    fn fixed(&self, id: u32, kind: u32) -> Option<[u8; 8]> {
        let entries = self.fixed.get(self.head..)?.chunks_exact(16);
        let wanted = (id << 16 | kind).to_le_bytes();
        entries
            .filter_map(|entry| entry.split_at_checked(8))
            .find(|(tag, _)| tag.starts_with(&wanted))?
            .1
            .try_into()
            .ok()
    }

    pub(super) fn number(&self, id: u32) -> Option<u32> {
        let [a, b, c, d, ..] = self.fixed(id, NUMBER)?;
        Some(u32::from_le_bytes([a, b, c, d]))
    }

    /// A time property in RFC 3339, always in UTC.
    pub(super) fn time(&self, id: u32) -> Option<String> {
        let ticks = u64::from_le_bytes(self.fixed(id, TIME)?);
        let seconds = i64::try_from(ticks / 10_000_000).ok()?.checked_sub(TO_1970)?;
        let time = mail_parser::DateTime::from_timestamp(seconds);
        (ticks > 0 && (1970..=9999).contains(&time.year)).then(|| time.to_rfc3339())
    }

    pub(super) fn text(&self, store: &mut Store<'_>, id: u32) -> Result<Option<String>> {
        let wide = store.stream(&self.name(id, TEXT))?;
        let text = match wide {
            Some(bytes) => encoding_rs::UTF_16LE.decode_without_bom_handling(&bytes).0.into_owned(),
            None => match store.stream(&self.name(id, TEXT_8))? {
                Some(mut bytes) => {
                    // Some writers terminate strings with NUL, which must not be taken for UTF-16.
                    bytes.truncate(bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1));
                    decode(&bytes, self.charset.as_deref()).into_owned()
                }
                None => return Ok(None),
            },
        };
        let text = text.trim_end_matches('\0');
        Ok((!text.trim().is_empty()).then(|| text.to_string()))
    }

    pub(super) fn binary(&self, store: &mut Store<'_>, id: u32) -> Result<Option<Vec<u8>>> {
        store.stream(&self.name(id, BINARY))
    }

    /// Path of a property that is a storage.
    pub(super) fn storage(&self, id: u32) -> String {
        self.name(id, 0x000d)
    }

    fn name(&self, id: u32, kind: u32) -> String {
        join(&self.path, &format!("__substg1.0_{id:04X}{kind:04X}"))
    }
}
