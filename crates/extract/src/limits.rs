//! Limits on the resources that extracting one document may use.

/// Limits of one extraction.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Maximum length of the Markdown in bytes.
    pub output: usize,
    /// Maximum total of bytes decompressed from archives and streams; see [`Limits::unpacked()`].
    pub unpacked: usize,
    /// Maximum nesting of documents in documents, e.g. of mails attached to mails.
    pub depth: usize,
}

impl Limits {
    /// The value of [`Self::unpacked`] for a document of `length` bytes in a process with `memory` bytes: a quarter of
    /// the memory, because parsed structures take several times the space of the data, and at most 200 times the
    /// length.
    pub fn unpacked(memory: u64, length: u64) -> usize {
        /// Highest compression ratio accepted. Deflate reaches 1000 on zeros; XML of spreadsheets has 10 to 50.
        const MOST_PACKED: u64 = 200;
        /// Always allowed: a small document may contain a large sheet of equal rows.
        const LEAST: u64 = 64 << 20;
        usize::try_from((memory / 4).min(length.saturating_mul(MOST_PACKED).max(LEAST))).unwrap_or(usize::MAX)
    }
}
