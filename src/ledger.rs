//! The ledger: what a session tells it. What happened to models, endpoints and corpora is told with the transaction that did it,
//! what was answered is told at once.
//!
//! The egress process writes; nothing here touches the file but to read it.

use serde_json::{Map, Value};
use std::cell::RefCell;

/// What can happen. The names are those of the column `kind` of `socle.ledger`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum EventKind {
    /// A model was registered, dropped, its use granted or taken back.
    RegisterModel,
    DropModel,
    GrantModel,
    RevokeModel,
    /// A generator was registered, dropped, its use granted or taken back.
    RegisterGenerator,
    DropGenerator,
    GrantGenerator,
    RevokeGenerator,
    /// An endpoint was registered, dropped, its use granted or taken back.
    RegisterEndpoint,
    DropEndpoint,
    GrantEndpoint,
    RevokeEndpoint,
    /// A corpus was created, altered (its egress, too) or dropped.
    CreateCorpus,
    AlterCorpus,
    DropCorpus,
    /// Chunks were written to files, or read from them.
    ExportCorpus,
    ImportCorpus,
    /// A model was written to a package, or read from one; a key is trusted, or no longer.
    ExportModel,
    ImportModel,
    TrustKey,
    DistrustKey,
    /// Documents were erased, and looked for afterwards.
    Erase,
    VerifyErasure,
    /// A corpus was compared with its source.
    VerifyCorpus,
    /// A question was answered or declined; a text was generated; a search was made.
    Answer,
    Generate,
    Search,
    /// The ledger itself was verified or pruned.
    VerifyLedger,
    PruneLedger,
}

/// Something that has happened.
#[derive(Clone, Debug)]
pub struct Event {
    kind: EventKind,
    fields: Map<String, Value>,
}

impl Event {
    /// An event without fields. Who, when and in which database is added when it is recorded.
    pub fn new(kind: EventKind) -> Self {
        Self { kind, fields: Map::new() }
    }

    /// Adds a field: a name, a count, a digest, a key of a source; never a text of a document or a secret.
    pub fn with(mut self, name: &'static str, value: impl Into<Value>) -> Self {
        self.fields.insert(name.to_string(), value.into());
        self
    }
}

thread_local! {
    static QUEUED: RefCell<Vec<Event>> = const { RefCell::new(Vec::new()) };
}

/// Has an event written when the transaction is about to commit, and not if it (or the subtransaction) rolls back. Where it
/// cannot be written, kinds that open a door or prove something fail the transaction, others warn.
pub fn record(event: Event) {
    QUEUED.with_borrow_mut(|queued| queued.push(event));
}
