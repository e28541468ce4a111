//! What the supervisor tells a worker when it has it started, beside the database.

use pgrx::pg_sys;
use std::time::Duration;

const BYTES: usize = 24;

/// What a worker is told.
#[derive(Clone, Copy, Debug, Default)]
pub struct Assignment {
    /// The number that the supervisor knows it by.
    pub number: u64,
    /// The change log of the corpus whose index it builds, by OID; 0 for a sync worker.
    pub corpus: u32,
    /// How long it waits for transactions of others.
    pub patience: Duration,
}

impl Assignment {
    /// As it is handed over.
    pub fn encode(self) -> [u8; BYTES] {
        let mut bytes = [0; BYTES];
        bytes[..8].copy_from_slice(&self.number.to_le_bytes());
        bytes[8..12].copy_from_slice(&self.corpus.to_le_bytes());
        bytes[16..].copy_from_slice(&self.patience.as_secs().to_le_bytes());
        bytes
    }

    /// That of this process.
    pub fn mine() -> Self {
        // SAFETY: set at the start of a background worker, and not changed.
        let Some(worker) = (unsafe { pg_sys::MyBgworkerEntry.as_ref() }) else { return Self::default() };
        let mut bytes = [0; BYTES];
        for (place, byte) in bytes.iter_mut().zip(worker.bgw_extra) {
            *place = byte.cast_unsigned();
        }
        let (number, rest) = bytes.split_at(8);
        let (corpus, patience) = rest.split_at(8);
        let large = |bytes: &[u8]| bytes.try_into().map(u64::from_le_bytes).unwrap_or_default();
        Self {
            number: large(number),
            corpus: u32::try_from(large(corpus)).unwrap_or_default(),
            patience: Duration::from_secs(large(patience)),
        }
    }
}
