//! The format of a segment as one file, which PostgreSQL stores in rows and the cache as a file.
//!
//! Magic, format, length of the header, header, then the files of one tantivy segment as tantivy writes them, footers
//! included; that of the lengths of fields is encoded by `runs`. Equal input gives equal bytes. Other formats and damaged files are refused.

use super::language::Language;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use socle_core::protocol::{KEYWORD_FORMAT, SegmentDigest, SegmentSummary};
use socle_core::{Error, Kind, Result};
use std::io::{self, Read, Write};
use std::ops::Range;

/// First bytes of a segment.
const MAGIC: [u8; 8] = *b"socle-kw";

/// Extension of the file with the lengths of fields, a byte for each chunk and field.
pub const LENGTHS: &str = "fieldnorm";

/// Size of magic, format and length of the header, in bytes.
const PREFIX_BYTES: usize = 8 + 4 + 4;

/// Largest header in bytes. It lists a few files and each language once.
const MAX_HEADER_BYTES: usize = 64 << 10;

/// The header of a segment.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Header {
    /// Number of chunks.
    pub chunk_count: u32,
    /// Lowest identifier of a chunk.
    pub min_chunk_id: i64,
    /// Highest identifier of a chunk.
    pub max_chunk_id: i64,
    /// Canonical names of the languages and the number of chunks of each.
    pub languages: Vec<(String, u32)>,
    /// Extensions of the files and their sizes in bytes, in the order of their contents.
    files: Vec<(String, u64)>,
}

/// A header and the positions of the files.
#[derive(Clone, Debug)]
pub struct Contents {
    /// The header.
    pub header: Header,
    /// Extensions of the files and their byte ranges in the segment.
    pub files: Vec<(String, Range<usize>)>,
}

impl Header {
    /// The header of a segment with these files. `chunk_ids` are the lowest and the highest identifier.
    pub fn new(
        chunk_ids: Range<i64>,
        chunk_count: u32,
        languages: Vec<(String, u32)>,
        files: Vec<(String, u64)>,
    ) -> Self {
        Self { chunk_count, min_chunk_id: chunk_ids.start, max_chunk_id: chunk_ids.end, languages, files }
    }

    /// The languages and the number of chunks of each. Names that this version does not know are left out.
    pub fn languages(&self) -> impl Iterator<Item = (Language, u32)> {
        self.languages.iter().filter_map(|(name, count)| Some((Language::named(name).ok()?, *count)))
    }

    /// The encoded prefix and header: all bytes before the files.
    ///
    /// # Errors
    /// `Bug` when the header cannot be encoded.
    pub fn encode(&self) -> Result<Vec<u8>> {
        let header = encode_header(self)?;
        let mut bytes = MAGIC.to_vec();
        bytes.extend(KEYWORD_FORMAT.to_le_bytes());
        bytes.extend((header.len() as u32).to_le_bytes());
        bytes.extend(header);
        Ok(bytes)
    }
}

impl Contents {
    /// Reads prefix and header of a segment of `byte_count` bytes; `read` returns any range of it.
    ///
    /// # Errors
    /// `OutdatedIndex` for another format, `DamagedIndex` for bytes that are no segment or when `read` fails.
    pub fn read(byte_count: usize, read: impl Fn(Range<usize>) -> io::Result<Vec<u8>>) -> Result<Self> {
        let read = |range: Range<usize>| read(range).map_err(|error| damaged(&error.to_string()));
        if byte_count < PREFIX_BYTES {
            return Err(damaged("too short"));
        }
        let prefix = read(0..PREFIX_BYTES)?;
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
        if length > MAX_HEADER_BYTES || PREFIX_BYTES + length > byte_count {
            return Err(damaged("its header is too long"));
        }
        let header: Header = postcard::from_bytes(&read(PREFIX_BYTES..PREFIX_BYTES + length)?)
            .map_err(|error| damaged(&error.to_string()))?;
        let mut at = PREFIX_BYTES + length;
        let mut files = Vec::new();
        for (extension, bytes) in &header.files {
            let end = usize::try_from(*bytes).ok().and_then(|bytes| at.checked_add(bytes));
            let end = end.filter(|end| *end <= byte_count).ok_or_else(|| damaged("it ends too early"))?;
            files.push((extension.clone(), at..end));
            at = end;
        }
        if at != byte_count {
            return Err(damaged("it has bytes after its last file"));
        }
        Ok(Self { header, files })
    }
}

/// Writes a segment and returns its digest and sizes. `files` are read to their ends, in the order of the header.
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

/// The error for a segment whose bytes are not those that were written.
pub fn damaged(why: &str) -> Error {
    Error::new(Kind::DamagedIndex, "a segment of the keyword index is damaged").detail(why)
}

fn encode_header(header: &Header) -> Result<Vec<u8>> {
    postcard::to_stdvec(header)
        .map_err(|error| Error::new(Kind::Bug, "could not encode a header").detail(error.to_string()))
}

/// A digest in hexadecimal, which is the name of its file.
pub fn hex(digest: &SegmentDigest) -> String {
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}
