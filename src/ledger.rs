//! The ledger: what a session tells it. What happened to models, endpoints and corpora is told with the transaction that did it,
//! what was answered is told at once.
//!
//! The egress process writes; a session reads the file itself, so that nobody has to run for that.

mod entries;
mod functions;
mod texts;

pub use entries::{LedgerEntry, erase_texts, for_each, is_reader, require_reader};

use crate::egress_client::ledger::{Appended, append};
use crate::pg::error::report;
use crate::pg::{backend, callback, gucs};
use pgrx::pg_sys;
use pgrx::prelude::*;
use serde_json::{Map, Value};
use socle_core::protocol::LEDGER_KEY;
use socle_core::{Error, Kind, Result};
use socle_ledger::{Fault, hash, json, key};
use std::cell::{Cell, RefCell};
use std::path::Path;

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
    /// Documents were erased; it was looked for what is left of them.
    Erase,
    VerifyErasure,
    /// A corpus was compared with its source.
    VerifyCorpus,
    /// A question was answered or declined; a text was generated; a search was made.
    Answer,
    Generate,
    Search,
    /// The ledger itself was verified.
    VerifyLedger,
}

impl EventKind {
    fn name(self) -> &'static str {
        match self {
            Self::RegisterModel => "register_model",
            Self::DropModel => "drop_model",
            Self::GrantModel => "grant_model",
            Self::RevokeModel => "revoke_model",
            Self::RegisterGenerator => "register_generator",
            Self::DropGenerator => "drop_generator",
            Self::GrantGenerator => "grant_generator",
            Self::RevokeGenerator => "revoke_generator",
            Self::RegisterEndpoint => "register_endpoint",
            Self::DropEndpoint => "drop_endpoint",
            Self::GrantEndpoint => "grant_endpoint",
            Self::RevokeEndpoint => "revoke_endpoint",
            Self::CreateCorpus => "create_corpus",
            Self::AlterCorpus => "alter_corpus",
            Self::DropCorpus => "drop_corpus",
            Self::ExportCorpus => "export_corpus",
            Self::ImportCorpus => "import_corpus",
            Self::ExportModel => "export_model",
            Self::ImportModel => "import_model",
            Self::TrustKey => "trust_key",
            Self::DistrustKey => "distrust_key",
            Self::Erase => "erase",
            Self::VerifyErasure => "verify_erasure",
            Self::VerifyCorpus => "verify_corpus",
            Self::Answer => "answer",
            Self::Generate => "generate",
            Self::Search => "search",
            Self::VerifyLedger => "verify_ledger",
        }
    }

    /// Whether it must not happen unrecorded: what opens a door, and what somebody will have to prove.
    fn is_required(self) -> bool {
        matches!(
            self,
            Self::RegisterEndpoint
                | Self::DropEndpoint
                | Self::GrantEndpoint
                | Self::RevokeEndpoint
                | Self::TrustKey
                | Self::Erase
        )
    }
}

/// Something that has happened.
#[derive(Clone, Debug)]
pub struct Event {
    kind: EventKind,
    fields: Map<String, Value>,
    /// Texts of which the ledger has keyed hashes: their names and themselves.
    texts: Vec<(&'static str, String)>,
    must_be_written: bool,
}

impl Event {
    /// An event without fields. Who, when and in which database is added when it is recorded.
    pub fn new(kind: EventKind) -> Self {
        Self { kind, fields: Map::new(), texts: Vec::new(), must_be_written: kind.is_required() }
    }

    /// Adds a field: a name, a count, a digest, a key of a source; never a text of a document or a secret.
    pub fn with(mut self, name: &'static str, value: impl Into<Value>) -> Self {
        self.fields.insert(name.to_string(), value.into());
        self
    }

    /// Adds a text, of which the ledger has a keyed hash only.
    pub fn with_text(mut self, name: &'static str, text: Option<&str>) -> Self {
        self.texts.extend(text.map(|text| (name, text.to_string())));
        self
    }

    /// Fails the transaction where it cannot be recorded.
    pub fn required(mut self) -> Self {
        self.must_be_written = true;
        self
    }

    /// What is written: keyed hashes in the place of texts.
    fn written(&self) -> Result<String> {
        let mut fields = self.fields.clone();
        if !self.texts.is_empty() {
            let key = key::read(Path::new(LEDGER_KEY)).map_err(error)?;
            for (name, text) in &self.texts {
                fields.insert(format!("{name}_hmac"), hash::keyed(&key, text.as_bytes()).into());
            }
            if gucs::ledger_text() {
                fields.insert("has_text".into(), true.into());
            }
        }
        if let Some(transaction) = backend::transaction_number() {
            fields.insert("xid".into(), transaction.to_string().into());
        }
        Ok(json::canonical(&fields))
    }
}

/// An event, and the subtransaction that it belongs to.
struct Queued {
    event: Event,
    subtransaction: pg_sys::SubTransactionId,
}

thread_local! {
    static QUEUED: RefCell<Vec<Queued>> = const { RefCell::new(Vec::new()) };
    static REGISTERED: Cell<bool> = const { Cell::new(false) };
}

/// Has an event written when the transaction is about to commit, and not if it (or the subtransaction) rolls back. Where it
/// cannot be written, those that open a door or prove something fail the transaction, others warn.
///
/// It is written before the commit, so that nothing is committed that is not in the ledger. Where the server dies between the
/// two, the ledger has what has not happened: the number of the transaction in it tells.
pub fn record(event: Event) {
    if !is_recorded() {
        return;
    }
    if !REGISTERED.replace(true) {
        callback::at_transaction_events(transaction_event);
        callback::at_subtransaction_events(subtransaction_event);
    }
    let subtransaction = callback::current_subtransaction();
    QUEUED.with_borrow_mut(|queued| queued.push(Queued { event, subtransaction }));
}

/// Writes an event now, whatever becomes of the transaction, and keeps its texts where that is asked for. Warns where it cannot
/// be written.
pub fn tell(event: &Event) {
    if !is_recorded() {
        return;
    }
    if let Err(error) = tell_or_fail(event) {
        warn(&error);
    }
}

fn tell_or_fail(event: &Event) -> Result<()> {
    // The process that it is sent to makes the key.
    let fields = match event.written() {
        Err(_) => {
            crate::egress_client::start()?;
            event.written()?
        }
        written => written?,
    };
    for Appended { origin, number } in append(&[(event.kind.name(), fields)])? {
        if gucs::ledger_text() && !event.texts.is_empty() {
            texts::keep(&origin, number, &event.texts)?;
        }
    }
    Ok(())
}

/// The keyed hash of a text, as the ledger has it.
///
/// # Errors
/// `UnreadableFile` while there is no key: nothing was recorded then.
pub fn keyed(text: &str) -> Result<String> {
    Ok(hash::keyed(&key::read(Path::new(LEDGER_KEY)).map_err(error)?, text.as_bytes()))
}

/// Whether local events are recorded at all: not while a cluster is upgraded, where nothing of socle runs.
fn is_recorded() -> bool {
    gucs::ledger() && backend::has_workers()
}

/// Says what could not be recorded.
fn warn(error: &Error) {
    let detail = error.to_string();
    ereport!(
        PgLogLevel::WARNING,
        PgSqlErrorCode::ERRCODE_WARNING,
        "this is not recorded in the ledger",
        format!("{detail}.")
    );
}

fn flush() {
    let queued = QUEUED.take();
    if queued.is_empty() {
        return;
    }
    let mut entries = Vec::with_capacity(queued.len());
    for Queued { event, .. } in &queued {
        match event.written() {
            Ok(fields) => entries.push((event.kind.name(), fields)),
            Err(error) => report(error).report(PgLogLevel::ERROR),
        }
    }
    if let Err(error) = append(&entries) {
        if queued.iter().any(|queued| queued.event.must_be_written) {
            report(error).report(PgLogLevel::ERROR);
        } else {
            warn(&error);
        }
    }
}

fn transaction_event(event: pg_sys::XactEvent::Type) {
    match event {
        pg_sys::XactEvent::XACT_EVENT_PRE_COMMIT | pg_sys::XactEvent::XACT_EVENT_PRE_PREPARE => flush(),
        pg_sys::XactEvent::XACT_EVENT_ABORT => forget(|_| true),
        _ => {}
    }
}

fn subtransaction_event(
    event: pg_sys::SubXactEvent::Type,
    current: pg_sys::SubTransactionId,
    parent: pg_sys::SubTransactionId,
) {
    match event {
        pg_sys::SubXactEvent::SUBXACT_EVENT_PRE_COMMIT_SUB => QUEUED.with_borrow_mut(|queued| {
            let own = queued.iter_mut().filter(|queued| queued.subtransaction == current);
            own.for_each(|queued| queued.subtransaction = parent);
        }),
        pg_sys::SubXactEvent::SUBXACT_EVENT_ABORT_SUB => forget(|queued| queued.subtransaction == current),
        _ => {}
    }
}

fn forget(unwanted: impl Fn(&Queued) -> bool) {
    QUEUED.with(|queued| {
        if let Ok(mut queued) = queued.try_borrow_mut() {
            queued.retain(|queued| !unwanted(queued));
        }
    });
}

/// The error for a file of the ledger that cannot be read.
fn error(fault: Fault) -> Error {
    if fault.is_damage {
        return Error::new(Kind::DamagedLedger, "the ledger is damaged")
            .detail(format!("What is wrong: {}.", fault.reason))
            .hint("SELECT * FROM socle.verify_ledger() shows all that is wrong.");
    }
    Error::new(Kind::UnreadableFile, "the ledger cannot be read").detail(format!("What is wrong: {}.", fault.reason))
}
