//! The receipt of an erasure: what was erased, as hashes with a random salt, and what socle cannot erase, with what to do.
//!
//! Without the salt, which only the receipt has, nobody can tell from its hashes which documents they were made of. Whoever
//! holds the receipt can try: a short key can be guessed.

use super::delete::Deleted;
use crate::catalog::CorpusSpec;
use crate::pg::backend;
use crate::pg::spi;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use socle_core::{Error, Kind, Result};
use std::collections::BTreeSet;
use std::fmt::Write;

const ORIGIN: &str = include_str!("../../sql/erasure/origin.sql");

/// Version of the form of receipts.
const VERSION: u32 = 1;

/// Bytes of a salt.
const SALT_BYTES: usize = 32;

/// What socle does not erase, and what to do about it.
const REMAINS: [(&str, &str); 10] = [
    (
        "the ledger, in which nothing can be erased: keys of cited documents, and hashes of what was cited",
        "socle.prune_ledger() removes old entries",
    ),
    (
        "texts of searches and of socle.generate() that the ledger keeps under socle.ledger_text, whatever they quote",
        "delete their files in socle/ledger_text of the data directory: the ledger can be verified without them",
    ),
    ("files of tables, until the next checkpoint", "CHECKPOINT"),
    (
        "WAL, in pg_wal until its files are used again, and wherever it is archived",
        "let wal_keep_size and the archive run out; shorten the retention of the archive",
    ),
    ("base backups and dumps", "delete those that are older than this receipt, or let their retention run out"),
    (
        "copies by logical replication, exports and imports elsewhere",
        "erase there, too: streaming standbys follow this server by themselves",
    ),
    (
        "logs of the server, where statements or their parameters are logged",
        "delete log files that are older than this receipt",
    ),
    (
        "memory of sessions and of the processes of socle, and swap",
        "end old sessions; SELECT pg_terminate_backend(pid), or restart the server",
    ),
    (
        "blocks that the file system or a drive has freed and not overwritten",
        "encrypt the drive, or overwrite free space",
    ),
    (
        "other tables, large objects, indexes of other kinds than B-tree and HNSW, and separators of keys in B-trees",
        "erase there, too; REINDEX INDEX CONCURRENTLY on indexes whose keys are personal data",
    ),
];

/// The receipt of an erasure.
#[derive(Debug, Deserialize, Serialize)]
pub struct Receipt {
    /// Version of its form.
    pub version: u32,
    /// Identifier of the erasure.
    pub erasure: String,
    /// When, by whom, in which database.
    pub origin: serde_json::Value,
    /// The source.
    pub source: String,
    /// Rows that were deleted from it.
    pub rows_deleted: u64,
    /// What was deleted from each corpus.
    pub corpora: Vec<Erased>,
    /// Texts of answers that were erased beside the ledger.
    pub ledger_texts: u64,
    /// Corpora over the same source that still have the documents, and why.
    pub left: Vec<Left>,
    /// What the hashes begin with, in hexadecimal digits.
    pub salt: String,
    /// Hashes of keys.
    pub keys: BTreeSet<String>,
    /// Hashes of the hashes of chunks.
    pub contents: BTreeSet<String>,
    /// What socle does not erase.
    pub remains: Vec<Remains>,
}

/// What was deleted from a corpus.
#[derive(Debug, Deserialize, Serialize)]
pub struct Erased {
    /// Name of the corpus that was erased from.
    pub corpus: String,
    /// Number of documents.
    pub documents: u64,
    /// Number of chunks.
    pub chunks: u64,
    /// Number of pending and failed changes.
    pub changes: u64,
}

/// A corpus that still has the documents.
#[derive(Debug, Deserialize, Serialize)]
pub struct Left {
    /// Name of the corpus that was left alone.
    pub corpus: String,
    /// Why it was.
    pub reason: String,
}

/// A place that socle does not erase from.
#[derive(Debug, Deserialize, Serialize)]
pub struct Remains {
    /// Where something may be.
    pub place: String,
    /// What to do.
    pub remedy: String,
}

impl Receipt {
    /// An empty receipt.
    ///
    /// # Errors
    /// `Bug` when the operating system gives no random number.
    pub fn new(corpus: &CorpusSpec) -> Result<Self> {
        let missing = || Error::new(Kind::Bug, "the operating system gave no random number");
        let salt = hex(&backend::random_bytes::<SALT_BYTES>().ok_or_else(missing)?);
        let erasure = hex(&backend::random_bytes::<16>().ok_or_else(missing)?);
        let origin = spi::query_text(ORIGIN, &[])?.and_then(|origin| serde_json::from_str(&origin).ok());
        let remains = |(place, remedy): (&str, &str)| Remains { place: place.into(), remedy: remedy.into() };
        Ok(Self {
            version: VERSION,
            erasure,
            origin: origin.unwrap_or_default(),
            source: format!("{}.{}", corpus.tables.source_schema, corpus.tables.source_table),
            rows_deleted: 0,
            corpora: Vec::new(),
            ledger_texts: 0,
            left: Vec::new(),
            salt,
            keys: BTreeSet::new(),
            contents: BTreeSet::new(),
            remains: REMAINS.into_iter().map(remains).collect(),
        })
    }

    /// Reads a receipt that a caller has kept.
    ///
    /// # Errors
    /// `InvalidArgument` for anything else.
    pub fn parse(json: &str) -> Result<Self> {
        let refused = |detail: String| {
            Error::new(Kind::InvalidArgument, "receipt is not one of socle.forget()")
                .detail(detail)
                .hint("Pass the jsonb that socle.forget() has returned.")
        };
        let receipt: Self = serde_json::from_str(json).map_err(|error| refused(error.to_string()))?;
        if receipt.version != VERSION {
            return Err(refused(format!("It is of version {}.", receipt.version)));
        }
        Ok(receipt)
    }

    /// The hash that stands for some bytes in this receipt.
    pub fn hash(&self, bytes: &[u8]) -> String {
        hex(&Sha256::new().chain_update(self.salt.as_bytes()).chain_update(bytes).finalize())
    }

    /// Adds the key of a document, in its canonical form.
    pub fn add_key(&mut self, key: &str) {
        self.keys.insert(self.hash(key.as_bytes()));
    }

    /// Whether the document with this key, in its canonical form, was erased.
    pub fn has_key(&self, key: &str) -> bool {
        self.keys.contains(&self.hash(key.as_bytes()))
    }

    /// Adds what was deleted from a corpus.
    pub fn add_corpus(&mut self, name: &str, deleted: &Deleted) {
        for content in &deleted.contents {
            self.contents.insert(self.hash(content));
        }
        self.corpora.push(Erased {
            corpus: name.to_string(),
            documents: deleted.documents.len() as u64,
            chunks: deleted.contents.len() as u64,
            changes: deleted.changes,
        });
    }

    /// Adds a corpus that still has the documents.
    pub fn leave(&mut self, name: &str, reason: &str) {
        self.left.push(Left { corpus: name.to_string(), reason: reason.to_string() });
    }

    /// The receipt as JSON.
    ///
    /// # Errors
    /// `Bug` when it cannot be written.
    pub fn to_json(&self) -> Result<String> {
        serde_json::to_string(self)
            .map_err(|error| Error::new(Kind::Bug, "could not write a receipt").detail(error.to_string()))
    }
}

/// Bytes as hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        // Writing to a String does not fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
