//! The arguments that the supervisor passes to a worker, besides the database.

use crate::pg::background_worker;
use std::time::Duration;

const BYTES: usize = 24;

/// The arguments of a worker.
#[derive(Clone, Copy, Debug, Default)]
pub struct Assignment {
    /// The number by which the supervisor knows the worker.
    pub number: u64,
    /// OID of the change log of the corpus whose task it does; 0 for a sync worker.
    pub corpus: u32,
    /// Longest wait for transactions of other sessions.
    pub patience: Duration,
}

impl Assignment {
    /// The form in which a worker is registered with it.
    pub fn encode(self) -> [u8; BYTES] {
        let mut bytes = [0; BYTES];
        bytes[..8].copy_from_slice(&self.number.to_le_bytes());
        bytes[8..12].copy_from_slice(&self.corpus.to_le_bytes());
        bytes[16..].copy_from_slice(&self.patience.as_secs().to_le_bytes());
        bytes
    }

    /// The assignment of this process.
    pub fn mine() -> Self {
        let Some(bytes) = background_worker::my_extra::<BYTES>() else { return Self::default() };
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
