//! Messages from sessions and workers to the supervisor, as datagrams of fixed size. Encoding does not allocate: it
//! runs after commit and in signal handlers, where failure is not an option.

use std::time::Duration;

/// Size of an encoded message in bytes.
pub const MESSAGE_BYTES: usize = 32;

/// Size of a message of version 0.1.0 in bytes: the OID of the database and one byte for the kind.
const OLD_BYTES: usize = 5;

/// Encoding of `next_check_in: None`.
const NEVER: u32 = u32::MAX;

/// An event in one database, or a request.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Message {
    /// The database has work.
    WorkAvailable,
    /// The database has more work than one worker can do.
    NeedsSecondWorker,
    /// The vector index of a corpus is to be built; the value is the OID of its change log.
    BuildIndex(u32),
    /// What an erasure has left in a corpus is to be cleared away; the value is the OID of its change log.
    ClearResidue(u32),
    /// The worker with this number has nothing to do.
    WorkerIdle(u64),
    /// The worker with this number is blocked by code of a corpus owner.
    WorkerBlocked(u64),
    /// The blocked worker with this number continues.
    WorkerUnblocked(u64),
    /// A worker is about to exit.
    WorkerLeaving {
        /// Number of the worker.
        worker: u64,
        /// When it last looked for work, as a time of [`super::FairQueue`].
        last_checked_at: Duration,
        /// Time until there will be work, in whole milliseconds; `None` if none is expected.
        next_check_in: Option<Duration>,
        /// Whether it did any work; of a worker with a task of a corpus, true: the task has not failed.
        did_work: bool,
    },
    /// A session waits for the generator to be started.
    GeneratorWanted,
    /// A session waits for the egress process to be started.
    EgressWanted,
}

impl Message {
    /// Encodes the message about the database with this OID.
    #[must_use]
    pub fn encode(self, database: u32) -> [u8; MESSAGE_BYTES] {
        let (kind, worker, last_checked_at, next_check_in, detail): (u32, u64, u64, u32, u32) = match self {
            Self::WorkAvailable => (0, 0, 0, 0, 0),
            Self::NeedsSecondWorker => (1, 0, 0, 0, 0),
            Self::BuildIndex(corpus) => (4, 0, 0, 0, corpus),
            Self::ClearResidue(corpus) => (11, 0, 0, 0, corpus),
            Self::WorkerIdle(worker) => (5, worker, 0, 0, 0),
            Self::WorkerBlocked(worker) => (6, worker, 0, 0, 0),
            Self::WorkerUnblocked(worker) => (7, worker, 0, 0, 0),
            Self::GeneratorWanted => (9, 0, 0, 0, 0),
            Self::EgressWanted => (10, 0, 0, 0, 0),
            Self::WorkerLeaving { worker, last_checked_at, next_check_in, did_work } => {
                let next_check_in = next_check_in
                    .map_or(NEVER, |next_check_in| u32::try_from(next_check_in.as_millis()).unwrap_or(NEVER - 1));
                (
                    8,
                    worker,
                    u64::try_from(last_checked_at.as_nanos()).unwrap_or(u64::MAX),
                    next_check_in,
                    u32::from(did_work),
                )
            }
        };
        let mut bytes = [0; MESSAGE_BYTES];
        bytes[..4].copy_from_slice(&database.to_le_bytes());
        bytes[4..8].copy_from_slice(&kind.to_le_bytes());
        bytes[8..16].copy_from_slice(&worker.to_le_bytes());
        bytes[16..24].copy_from_slice(&last_checked_at.to_le_bytes());
        bytes[24..28].copy_from_slice(&next_check_in.to_le_bytes());
        bytes[28..].copy_from_slice(&detail.to_le_bytes());
        bytes
    }

    /// The OID of the database and the message; `None` for anything that is not a message. Of the messages of version
    /// 0.1.0, which sessions with the old library still send, those that report work are understood.
    #[must_use]
    pub fn decode(bytes: &[u8]) -> Option<(u32, Self)> {
        let small = |at: usize| bytes.get(at..at + 4)?.try_into().ok().map(u32::from_le_bytes);
        let large = |at: usize| bytes.get(at..at + 8)?.try_into().ok().map(u64::from_le_bytes);
        let database = small(0)?;
        if bytes.len() == OLD_BYTES {
            return Some((database, if bytes[4] == 1 { Self::NeedsSecondWorker } else { Self::WorkAvailable }));
        }
        if bytes.len() != MESSAGE_BYTES {
            return None;
        }
        let (worker, detail) = (large(8)?, small(28)?);
        let message = match small(4)? {
            0 => Self::WorkAvailable,
            1 => Self::NeedsSecondWorker,
            4 => Self::BuildIndex(detail),
            5 => Self::WorkerIdle(worker),
            6 => Self::WorkerBlocked(worker),
            7 => Self::WorkerUnblocked(worker),
            8 => Self::WorkerLeaving {
                worker,
                last_checked_at: Duration::from_nanos(large(16)?),
                next_check_in: Some(small(24)?)
                    .filter(|next_check_in| *next_check_in != NEVER)
                    .map(|next_check_in| Duration::from_millis(next_check_in.into())),
                did_work: detail == 1,
            },
            9 => Self::GeneratorWanted,
            10 => Self::EgressWanted,
            11 => Self::ClearResidue(detail),
            _ => return None,
        };
        Some((database, message))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_come_back_as_they_were() {
        let leaving = |next_check_in| Message::WorkerLeaving {
            worker: u64::MAX,
            last_checked_at: Duration::from_nanos(1 << 60),
            next_check_in,
            did_work: true,
        };
        let all = [
            Message::WorkAvailable,
            Message::NeedsSecondWorker,
            Message::BuildIndex(u32::MAX),
            Message::ClearResidue(u32::MAX),
            Message::WorkerIdle(7),
            Message::WorkerBlocked(7),
            Message::WorkerUnblocked(1 << 40),
            leaving(None),
            leaving(Some(Duration::ZERO)),
            leaving(Some(Duration::from_millis(1_500))),
            Message::GeneratorWanted,
            Message::EgressWanted,
        ];
        for message in all {
            assert_eq!(Message::decode(&message.encode(16_384)), Some((16_384, message)));
        }
        assert_eq!(Message::decode(&[1, 2, 3]), None);
        assert_eq!(Message::decode(&[9; MESSAGE_BYTES]), None);
        assert_eq!(
            Message::decode(&[1, 0, 0, 0, 1]),
            Some((1, Message::NeedsSecondWorker)),
            "a session of version 0.1.0"
        );
    }
}
