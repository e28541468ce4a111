//! What all background workers that work on corpora stand on: transactions, errors, locks of a corpus, the session of the
//! process, the time limit of what owners have them run.

pub mod corpus_lock;
pub mod corpus_state;
pub mod owner_code_timeout;
pub mod session;
pub mod transaction;

/// What came of a look at what a fill leaves to be done.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum StepOutcome {
    /// Something was done.
    Done,
    /// Nothing was to be done.
    Nothing,
    /// Another worker is at it.
    Elsewhere,
    /// Others have to end something first.
    Later,
}
