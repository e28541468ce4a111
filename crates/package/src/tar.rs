//! The container: POSIX tar (ustar) with regular files alone, written and read one header at a time.
//!
//! Refused are links, directories, devices, sparse files and every extension of the format: a package needs none of them, and
//! each is a way to mean something else than it says.

use crate::damaged;
use socle_core::{Error, Kind, Result};

/// Bytes of a header, and what the content of a file is filled up to.
pub const BLOCK: usize = 512;

/// What ends a tar file.
pub const END: [u8; 2 * BLOCK] = [0; 2 * BLOCK];

/// Most zero bytes after the end: `tar` fills up to 10 kB.
const MAX_FILLER_BYTES: u64 = 1 << 20;

/// Place and length of the fields that are read.
const NAME: (usize, usize) = (0, 100);
const SIZE: (usize, usize) = (124, 12);
const CHECKSUM: (usize, usize) = (148, 8);
const TYPE: usize = 156;
const MAGIC: (usize, usize) = (257, 8);
const PREFIX: (usize, usize) = (345, 155);

/// A file in a tar file.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Entry {
    /// Its path, as it is written.
    pub path: String,
    /// Its size in bytes.
    pub bytes: u64,
}

/// A tar file that is read from beginning to end. `read` fills a buffer as far as there are bytes, and returns how many.
pub struct Tar<R> {
    read: R,
    /// Bytes of the present file that have not been read yet, and those that fill its last block.
    left: u64,
    filler: u64,
}

impl<R: FnMut(&mut [u8]) -> Result<usize>> Tar<R> {
    /// At the beginning.
    pub fn new(read: R) -> Self {
        Self { read, left: 0, filler: 0 }
    }

    /// The next file; `None` at the end, after which nothing but zero bytes may follow.
    ///
    /// # Errors
    /// `DamagedDocument`; those of reading.
    pub fn next_entry(&mut self) -> Result<Option<Entry>> {
        let mut skipped = vec![0; BLOCK];
        while self.left > 0 {
            let count = usize::try_from(self.left).unwrap_or(BLOCK).min(BLOCK);
            self.fill(skipped.get_mut(..count).unwrap_or_default())?;
            self.left -= count as u64;
        }
        let filler = usize::try_from(self.filler).unwrap_or_default();
        self.fill(skipped.get_mut(..filler).unwrap_or_default())?;
        self.filler = 0;
        let mut block = [0; BLOCK];
        self.fill(&mut block)?;
        if block.iter().all(|byte| *byte == 0) {
            self.check_end()?;
            return Ok(None);
        }
        let entry = entry(&block)?;
        self.left = entry.bytes;
        self.filler = padding(entry.bytes) as u64;
        Ok(Some(entry))
    }

    /// Reads from the content of the present file: as much as the buffer holds, less at its end, 0 after it.
    ///
    /// # Errors
    /// `DamagedDocument` if the package ends within the file; those of reading.
    pub fn content(&mut self, buffer: &mut [u8]) -> Result<usize> {
        let count = usize::try_from(self.left).unwrap_or(usize::MAX).min(buffer.len());
        self.fill(buffer.get_mut(..count).unwrap_or_default())?;
        self.left -= count as u64;
        Ok(count)
    }

    fn check_end(&mut self) -> Result<()> {
        let mut buffer = [0; BLOCK];
        let mut total = 0;
        loop {
            let count = (self.read)(&mut buffer)?;
            if count == 0 {
                return Ok(());
            }
            total += count as u64;
            if total > MAX_FILLER_BYTES || buffer.iter().take(count).any(|byte| *byte != 0) {
                return Err(damaged("Something follows after its end."));
            }
        }
    }

    fn fill(&mut self, buffer: &mut [u8]) -> Result<()> {
        let mut filled = 0;
        while filled < buffer.len() {
            let count = (self.read)(buffer.get_mut(filled..).unwrap_or_default())?;
            if count == 0 {
                return Err(damaged("It is truncated."));
            }
            filled += count;
        }
        Ok(())
    }
}

/// The header of a regular file, readable for everybody, without owner and time: the same model gives the same bytes.
///
/// # Errors
/// `InvalidArgument` for a path of more than 100 bytes.
pub fn header(path: &str, bytes: u64) -> Result<[u8; BLOCK]> {
    if path.len() > NAME.1 {
        return Err(Error::new(Kind::InvalidArgument, format!("path {path:?} is too long for a package")));
    }
    let mut block = [0; BLOCK];
    let mut put = |at: usize, text: &[u8]| {
        block.iter_mut().skip(at).zip(text).for_each(|(byte, letter)| *byte = *letter);
    };
    put(NAME.0, path.as_bytes());
    put(100, b"0000644\0");
    put(108, b"0000000\0");
    put(116, b"0000000\0");
    if bytes < 1 << 33 {
        put(SIZE.0, format!("{bytes:011o}\0").as_bytes());
    } else {
        // Beyond eleven octal digits: a binary number with the highest bit set, as GNU and BSD tar write it.
        put(SIZE.0, &[0x80]);
        put(SIZE.0 + 4, &bytes.to_be_bytes());
    }
    put(136, b"00000000000\0");
    put(TYPE, b"0");
    put(MAGIC.0, b"ustar\x0000");
    let sum = format!("{:06o}\0 ", checksum(&block));
    block.iter_mut().skip(CHECKSUM.0).zip(sum.as_bytes()).for_each(|(byte, letter)| *byte = *letter);
    Ok(block)
}

/// Number of zero bytes after a file of that size.
pub fn padding(bytes: u64) -> usize {
    let over = (bytes % BLOCK as u64) as usize;
    if over == 0 { 0 } else { BLOCK - over }
}

/// The sum of all bytes, with spaces in the place of the sum itself.
fn checksum(block: &[u8; BLOCK]) -> u32 {
    let is_own = |at: usize| (CHECKSUM.0..CHECKSUM.0 + CHECKSUM.1).contains(&at);
    block.iter().enumerate().map(|(at, byte)| u32::from(if is_own(at) { b' ' } else { *byte })).sum()
}

fn entry(block: &[u8; BLOCK]) -> Result<Entry> {
    let field = |(at, length): (usize, usize)| block.get(at..at + length).unwrap_or_default();
    let magic = field(MAGIC);
    let is_posix = magic.starts_with(b"ustar\0");
    if !is_posix && !magic.starts_with(b"ustar ") {
        return Err(damaged("It is not a tar file, or one without the header of POSIX."));
    }
    if octal(field(CHECKSUM)) != Some(u64::from(checksum(block))) {
        return Err(damaged("The checksum of a header is wrong."));
    }
    let text = |bytes: &[u8]| {
        let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
        String::from_utf8(bytes.get(..end).unwrap_or_default().to_vec())
            .map_err(|_| damaged("The name of a file is not UTF-8."))
    };
    let name = text(field(NAME))?;
    // GNU tar has other fields in the place of the prefix.
    let prefix = if is_posix { text(field(PREFIX))? } else { String::new() };
    let path = if prefix.is_empty() { name } else { format!("{prefix}/{name}") };
    match block.get(TYPE) {
        Some(b'0' | 0) => {}
        other => {
            let what = match other {
                Some(b'1') => "a hard link",
                Some(b'2') => "a symbolic link",
                Some(b'5') => "a directory",
                Some(b'x' | b'g' | b'L' | b'K') => "an extension of the format",
                _ => "no regular file",
            };
            return Err(damaged(&format!("{path:?} is {what}; a package holds regular files alone."))
                .hint("Make it with tar --format=ustar, and name each file."));
        }
    }
    let bytes = size(field(SIZE)).ok_or_else(|| damaged(&format!("{path:?} has no size.")))?;
    Ok(Entry { path, bytes })
}

fn size(field: &[u8]) -> Option<u64> {
    match field.split_first() {
        Some((0x80, rest)) => {
            let (zeros, number) = rest.split_at_checked(3)?;
            let number: [u8; 8] = number.try_into().ok()?;
            zeros.iter().all(|byte| *byte == 0).then(|| u64::from_be_bytes(number))
        }
        _ => octal(field),
    }
}

/// An octal number that spaces and zero bytes surround.
fn octal(field: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(field).ok()?;
    let digits = text.trim_matches([' ', '\0']);
    let is_octal = !digits.is_empty() && digits.bytes().all(|digit| matches!(digit, b'0'..=b'7'));
    is_octal.then(|| u64::from_str_radix(digits, 8).ok()).flatten()
}
