//! What all background workers for corpora share: transactions, errors, locks of a corpus, the session of the process,
//! the time limit for code of owners.

pub mod corpus_lock;
pub mod corpus_state;
pub mod owner_code_timeout;
pub mod session;
pub mod transaction;

/// Outcome of a step that follows a fill.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum StepOutcome {
    /// Something was done.
    Done,
    /// A part was done; other databases wait for the worker.
    Partly,
    /// Nothing was to be done.
    Nothing,
    /// Another worker is doing it.
    Elsewhere,
    /// Transactions of other sessions have to end first.
    Later,
}
