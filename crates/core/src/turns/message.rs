//! What sessions and workers tell the supervisor, in datagrams of one size. Encoding allocates nothing: it happens after a
//! commit and in signal handlers, where nothing may fail.

use std::time::Duration;

/// Bytes of a message.
pub const MESSAGE_BYTES: usize = 32;

/// Bytes of a message of version 0.1.0, which said a database and a kind and no more.
const OLD_BYTES: usize = 5;

/// `again` of a worker that has nothing to come back for.
const NEVER: u32 = u32::MAX;

/// What is said, of one database.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Message {
    /// It has work.
    Wake,
    /// It has more work than one worker can do.
    More,
    /// The vector index of the corpus with this change log is to be built.
    Build(u32),
    /// A worker has nothing to do.
    Idle(u64),
    /// A worker is held up by what the owner of a corpus has it run.
    Slow(u64),
    /// It goes on.
    Back(u64),
    /// A worker leaves.
    Goodbye {
        /// Which.
        worker: u64,
        /// When it began to look for work for the last time, by the clock of [`super::Turns`].
        looked_at: Duration,
        /// When there will be something to do; `None`: it knows of nothing.
        again: Option<Duration>,
        /// It has done something in its time.
        worked: bool,
    },
}

impl Message {
    /// The message about a database, by OID.
    #[must_use]
    pub fn encode(self, database: u32) -> [u8; MESSAGE_BYTES] {
        let (kind, worker, looked_at, again, detail): (u32, u64, u64, u32, u32) = match self {
            Self::Wake => (0, 0, 0, 0, 0),
            Self::More => (1, 0, 0, 0, 0),
            Self::Build(corpus) => (4, 0, 0, 0, corpus),
            Self::Idle(worker) => (5, worker, 0, 0, 0),
            Self::Slow(worker) => (6, worker, 0, 0, 0),
            Self::Back(worker) => (7, worker, 0, 0, 0),
            Self::Goodbye { worker, looked_at, again, worked } => {
                let again = again.map_or(NEVER, |again| u32::try_from(again.as_millis()).unwrap_or(NEVER - 1));
                (8, worker, u64::try_from(looked_at.as_nanos()).unwrap_or(u64::MAX), again, u32::from(worked))
            }
        };
        let mut bytes = [0; MESSAGE_BYTES];
        bytes[..4].copy_from_slice(&database.to_le_bytes());
        bytes[4..8].copy_from_slice(&kind.to_le_bytes());
        bytes[8..16].copy_from_slice(&worker.to_le_bytes());
        bytes[16..24].copy_from_slice(&looked_at.to_le_bytes());
        bytes[24..28].copy_from_slice(&again.to_le_bytes());
        bytes[28..].copy_from_slice(&detail.to_le_bytes());
        bytes
    }

    /// The database and what is said of it; `None` for what is no message. A session that still runs the library of version
    /// 0.1.0 is understood as far as it wakes somebody.
    #[must_use]
    pub fn decode(bytes: &[u8]) -> Option<(u32, Self)> {
        let small = |at: usize| bytes.get(at..at + 4)?.try_into().ok().map(u32::from_le_bytes);
        let large = |at: usize| bytes.get(at..at + 8)?.try_into().ok().map(u64::from_le_bytes);
        let database = small(0)?;
        if bytes.len() == OLD_BYTES {
            return Some((database, if bytes[4] == 1 { Self::More } else { Self::Wake }));
        }
        if bytes.len() != MESSAGE_BYTES {
            return None;
        }
        let (worker, detail) = (large(8)?, small(28)?);
        let message = match small(4)? {
            0 => Self::Wake,
            1 => Self::More,
            4 => Self::Build(detail),
            5 => Self::Idle(worker),
            6 => Self::Slow(worker),
            7 => Self::Back(worker),
            8 => Self::Goodbye {
                worker,
                looked_at: Duration::from_nanos(large(16)?),
                again: Some(small(24)?)
                    .filter(|again| *again != NEVER)
                    .map(|again| Duration::from_millis(again.into())),
                worked: detail == 1,
            },
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
        let goodbye = |again| Message::Goodbye {
            worker: u64::MAX,
            looked_at: Duration::from_nanos(1 << 60),
            again,
            worked: true,
        };
        let all = [
            Message::Wake,
            Message::More,
            Message::Build(u32::MAX),
            Message::Idle(7),
            Message::Slow(7),
            Message::Back(1 << 40),
            goodbye(None),
            goodbye(Some(Duration::ZERO)),
            goodbye(Some(Duration::from_millis(1_500))),
        ];
        for message in all {
            assert_eq!(Message::decode(&message.encode(16_384)), Some((16_384, message)));
        }
        assert_eq!(Message::decode(&[1, 2, 3]), None);
        assert_eq!(Message::decode(&[9; MESSAGE_BYTES]), None);
        assert_eq!(Message::decode(&[1, 0, 0, 0, 1]), Some((1, Message::More)), "a session of version 0.1.0");
    }
}
