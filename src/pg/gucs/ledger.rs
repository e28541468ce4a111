//! The settings of the ledger: what is recorded besides what leaves the server, which always is.
//!
//! Of superusers alone, who may also set them for a role or a database.

use pgrx::guc::{GucContext, GucFlags, GucRegistry, GucSetting};

static LEDGER: GucSetting<bool> = GucSetting::<bool>::new(true);
static LEDGER_TEXT: GucSetting<bool> = GucSetting::<bool>::new(false);
static LEDGER_SEARCH: GucSetting<bool> = GucSetting::<bool>::new(false);

/// Defines them.
pub fn define() {
    GucRegistry::define_bool_guc(
        c"socle.ledger",
        c"Records in the ledger what happens to models, endpoints and corpora, and what is answered.",
        c"Requests to endpoints are recorded whatever it says: what cannot be recorded is not sent.",
        &LEDGER,
        GucContext::Suset,
        GucFlags::default(),
    );
    GucRegistry::define_bool_guc(
        c"socle.ledger_text",
        c"Keeps the texts of questions and answers beside the ledger.",
        c"Off by default: the ledger has keyed hashes of them, by which a text that somebody has can be found.",
        &LEDGER_TEXT,
        GucContext::Suset,
        GucFlags::default(),
    );
    GucRegistry::define_bool_guc(
        c"socle.ledger_search",
        c"Records searches in the ledger, too.",
        c"Off by default, because there are many of them.",
        &LEDGER_SEARCH,
        GucContext::Suset,
        GucFlags::default(),
    );
}

/// `socle.ledger`.
pub fn ledger() -> bool {
    LEDGER.get()
}

/// `socle.ledger_text`.
pub fn ledger_text() -> bool {
    LEDGER_TEXT.get()
}

/// `socle.ledger_search`.
pub fn ledger_search() -> bool {
    LEDGER_SEARCH.get()
}
