//! A segment as one blob of bytes: what PostgreSQL keeps and the cache holds.
//!
//! Magic, format, length of the header, header, then the files of one tantivy segment as tantivy writes them, footers
//! included. Nothing of it is random, so equal input gives equal bytes. Refuses other formats and anything damaged.

use super::language::Language;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use socle_core::protocol::{KEYWORD_FORMAT, SegmentDigest, SegmentSummary};
use socle_core::{Error, Kind, Result};
use std::io::{self, Read, Write};
use std::ops::Range;

const MAGIC: [u8; 8] = *b"socle-kw";

/// Bytes before the header.
const PREFIX: usize = 8 + 4 + 4;

/// Longest header in bytes: a few files and each language once.
const MAX_HEADER: usize = 64 << 10;

/// What a segment says of itself.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Header {
    /// Chunks in it.
    pub chunk_count: u32,
    /// Lowest identifier.
    pub min_chunk_id: i64,
    /// Highest identifier.
    pub max_chunk_id: i64,
    /// Canonical names of the languages and how many chunks each has.
    pub languages: Vec<(String, u32)>,
    /// Files by extension, in the order of the blob, with their bytes.
    files: Vec<(String, u64)>,
}

/// A header and where its files lie.
#[derive(Clone, Debug)]
pub struct Contents {
    /// The header.
    pub header: Header,
    /// Bytes of the blob by extension of the file.
    pub files: Vec<(String, Range<usize>)>,
}

impl Header {
    /// The header of a segment with these files.
    pub fn new(
        chunk_ids: Range<i64>,
        chunk_count: u32,
        languages: Vec<(String, u32)>,
        files: Vec<(String, u64)>,
    ) -> Self {
        Self { chunk_count, min_chunk_id: chunk_ids.start, max_chunk_id: chunk_ids.end, languages, files }
    }

    /// Languages, the most common one first.
    pub fn languages(&self) -> impl Iterator<Item = (Language, u32)> {
        self.languages.iter().filter_map(|(name, count)| Some((Language::named(name).ok()?, *count)))
    }

    /// The bytes before the files.
    ///
    /// # Errors
    /// `Bug` when the header cannot be encoded.
    pub fn encode(&self) -> Result<Vec<u8>> {
        let header = postcard_bytes(self)?;
        let mut bytes = MAGIC.to_vec();
        bytes.extend(KEYWORD_FORMAT.to_le_bytes());
        bytes.extend((header.len() as u32).to_le_bytes());
        bytes.extend(header);
        Ok(bytes)
    }
}

impl Contents {
    /// Reads the beginning of a blob of `byte_count` bytes; `read` gives any range of it.
    ///
    /// # Errors
    /// `OutdatedIndex` for another format, `DamagedIndex` for anything that is no segment, and what `read` fails with.
    pub fn read(byte_count: usize, read: impl Fn(Range<usize>) -> io::Result<Vec<u8>>) -> Result<Self> {
        let read = |range: Range<usize>| read(range).map_err(|error| damaged(&error.to_string()));
        if byte_count < PREFIX {
            return Err(damaged("too short"));
        }
        let prefix = read(0..PREFIX)?;
        let word =
            |at: usize| prefix.get(at..at + 4).and_then(|bytes| bytes.try_into().ok()).map_or(0, u32::from_le_bytes);
        if !prefix.starts_with(&MAGIC) {
            return Err(damaged("not a segment"));
        }
        let (format, length) = (word(8), word(12) as usize);
        if format != KEYWORD_FORMAT {
            return Err(Error::new(Kind::OutdatedIndex, "the keyword index was written by another version of socle")
                .detail(format!("A segment has format {format}, this version reads {KEYWORD_FORMAT}.")));
        }
        if length > MAX_HEADER || PREFIX + length > byte_count {
            return Err(damaged("its header is too long"));
        }
        let header: Header =
            postcard::from_bytes(&read(PREFIX..PREFIX + length)?).map_err(|error| damaged(&error.to_string()))?;
        let mut at = PREFIX + length;
        let mut files = Vec::new();
        for (extension, bytes) in &header.files {
            let end = usize::try_from(*bytes).ok().and_then(|bytes| at.checked_add(bytes));
            let end = end.filter(|end| *end <= byte_count).ok_or_else(|| damaged("it ends too early"))?;
            files.push((extension.clone(), at..end));
            at = end;
        }
        if at != byte_count {
            return Err(damaged("it has bytes that belong to nothing"));
        }
        Ok(Self { header, files })
    }
}

/// Writes a blob and names it. `files` are read to their ends, in the order of the header.
///
/// # Errors
/// `UnreadableFile` when reading or writing fails.
pub fn write(header: &Header, files: Vec<Box<dyn Read + '_>>, into: &mut impl Write) -> Result<SegmentSummary> {
    let failed = |error: io::Error| {
        Error::new(Kind::UnreadableFile, "could not write a segment of the keyword index").detail(error.to_string())
    };
    let mut hash = Sha256::new();
    let mut byte_count = 0;
    let mut put = |bytes: &[u8]| {
        hash.update(bytes);
        byte_count += bytes.len() as u64;
        into.write_all(bytes).map_err(failed)
    };
    put(&header.encode()?)?;
    let mut buffer = vec![0; 64 << 10];
    for mut file in files {
        loop {
            match file.read(&mut buffer).map_err(failed)? {
                0 => break,
                count => put(&buffer[..count])?,
            }
        }
    }
    Ok(SegmentSummary {
        digest: hash.finalize().into(),
        chunk_count: header.chunk_count,
        byte_count,
        format: KEYWORD_FORMAT,
    })
}

/// The error for a segment whose bytes are not what was written.
pub fn damaged(why: &str) -> Error {
    Error::new(Kind::DamagedIndex, "a segment of the keyword index is damaged").detail(why)
}

fn postcard_bytes(header: &Header) -> Result<Vec<u8>> {
    postcard::to_stdvec(header)
        .map_err(|error| Error::new(Kind::Bug, "could not encode a header").detail(error.to_string()))
}

/// A digest as text.
pub fn hex(digest: &SegmentDigest) -> String {
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}
