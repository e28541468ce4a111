//! All settings, with their defaults and the reason for their contexts.
//!
//! SIGHUP and superuser-only: what the supervisor passes to the engine or the generator; a change restarts it. SUSET: a
//! limit that protects the server. USERSET: what only changes the caller's own results. Nothing is POSTMASTER, because
//! that cannot be defined once the server runs, and socle needs no preloading.

mod directories;
mod documents;
mod egress;
mod ledger;
mod signatures;

pub use directories::{export_directories, import_directories};
pub use documents::{extract_limits, max_document_bytes, ocr_model};
pub use egress::{egress_key_directory, egress_name_servers};
pub use ledger::{ledger, ledger_search, ledger_text};
pub use signatures::require_signed_models;

use pgrx::guc::{GucContext, GucFlags, GucRegistry, GucSetting};
use pgrx::pg_sys;
use socle_core::protocol::MAX_INPUT_BYTES;
use std::ffi::{CStr, CString, c_char};
use std::path::PathBuf;
use std::time::Duration;

static DEFAULT_MODEL: GucSetting<Option<CString>> = GucSetting::<Option<CString>>::new(Some(c""));
static DEFAULT_RERANK_MODEL: GucSetting<Option<CString>> = GucSetting::<Option<CString>>::new(Some(c""));
static TRUNCATE_INPUT: GucSetting<bool> = GucSetting::<bool>::new(false);
static MAX_INPUT: GucSetting<i32> = GucSetting::<i32>::new(4 << 20);
static MODEL_DIRECTORY: GucSetting<Option<CString>> =
    GucSetting::<Option<CString>>::new(Some(c"$sharedir/socle/models"));
static ONNXRUNTIME_LIBRARY: GucSetting<Option<CString>> =
    GucSetting::<Option<CString>>::new(Some(c"$libdir/socle/libonnxruntime.so"));
static ENGINE_THREADS: GucSetting<i32> = GucSetting::<i32>::new(0);
static ENGINE_MEMORY_LIMIT: GucSetting<i32> = GucSetting::<i32>::new(2048);
static SYNC_WORKERS: GucSetting<i32> = GucSetting::<i32>::new(2);
static SYNC_TIMEOUT: GucSetting<i32> = GucSetting::<i32>::new(300);
static ENGINE_BATCH_TOKENS: GucSetting<i32> = GucSetting::<i32>::new(1024);
static DEFAULT_GENERATOR: GucSetting<Option<CString>> = GucSetting::<Option<CString>>::new(Some(c""));
static GENERATOR_THREADS: GucSetting<i32> = GucSetting::<i32>::new(0);
static GENERATOR_MEMORY_LIMIT: GucSetting<i32> = GucSetting::<i32>::new(4096);
static GENERATOR_IDLE_TIMEOUT: GucSetting<i32> = GucSetting::<i32>::new(600);

/// Defines the settings.
pub fn define() {
    define_for_users();
    documents::define();
    directories::define();
    define_for_engine();
    define_for_generator();
    egress::define();
    signatures::define();
    ledger::define();
    define_for_sync();
    // SAFETY: called from `_PG_init`, with a C string that lives forever.
    unsafe { pg_sys::MarkGUCPrefixReserved(c"socle".as_ptr()) };
}

fn define_for_users() {
    GucRegistry::define_string_guc(
        c"socle.default_model",
        c"Sets the model that functions use when no model is specified.",
        c"Empty by default, so that no text is embedded with a model that was not chosen.",
        &DEFAULT_MODEL,
        GucContext::Userset,
        GucFlags::default(),
    );
    GucRegistry::define_string_guc(
        c"socle.default_rerank_model",
        c"Sets the model that socle.rerank uses when no model is specified.",
        c"When empty, socle.default_model is used.",
        &DEFAULT_RERANK_MODEL,
        GucContext::Userset,
        GucFlags::default(),
    );
    GucRegistry::define_bool_guc(
        c"socle.truncate_input",
        c"Cuts texts that exceed the window of their model instead of raising an error.",
        c"Off by default, because what is cut off cannot be found later.",
        &TRUNCATE_INPUT,
        GucContext::Userset,
        GucFlags::default(),
    );
    GucRegistry::define_int_guc(
        c"socle.max_input_bytes",
        c"Sets the largest text that a function accepts.",
        c"4 MB hold about a thousand pages. Larger texts raise an error before they are decompressed. It protects the \
          memory of the server, so only superusers may change it.",
        &MAX_INPUT,
        1,
        MAX_INPUT_BYTES as i32,
        GucContext::Suset,
        GucFlags::UNIT_BYTE,
    );
}

fn define_for_engine() {
    GucRegistry::define_string_guc(
        c"socle.model_directory",
        c"Sets the directory that contains the directories of models.",
        c"$sharedir stands for the server's directory of shared data, where \"make install-models\" puts models.",
        &MODEL_DIRECTORY,
        GucContext::Sighup,
        GucFlags::SUPERUSER_ONLY,
    );
    GucRegistry::define_string_guc(
        c"socle.onnxruntime_library",
        c"Sets the path of the ONNX Runtime library.",
        c"$libdir stands for the server's directory of libraries, where \"make install\" puts it. The library is code, \
          so it has to belong to root or to the server's operating system user.",
        &ONNXRUNTIME_LIBRARY,
        GucContext::Sighup,
        GucFlags::SUPERUSER_ONLY,
    );
    GucRegistry::define_int_guc(
        c"socle.engine_threads",
        c"Sets the number of threads the engine computes with.",
        c"0 means one for each processor. Bulk work runs at low priority, so that it yields to queries and to sessions.",
        &ENGINE_THREADS,
        0,
        1024,
        GucContext::Sighup,
        GucFlags::SUPERUSER_ONLY,
    );
    GucRegistry::define_int_guc(
        c"socle.engine_memory_limit",
        c"Sets the memory that loaded models may take.",
        c"When a further model needs room, the least recently used one is dropped from memory.",
        &ENGINE_MEMORY_LIMIT,
        16,
        i32::MAX,
        GucContext::Sighup,
        GucFlags::SUPERUSER_ONLY | GucFlags::UNIT_MB,
    );
    GucRegistry::define_int_guc(
        c"socle.engine_batch_tokens",
        c"Sets how many tokens, padding included, run through a model at once.",
        c"Small batches stay in the processor's cache and let queries pass; bench/README.md shows how to measure it.",
        &ENGINE_BATCH_TOKENS,
        16,
        1 << 20,
        GucContext::Sighup,
        GucFlags::SUPERUSER_ONLY,
    );
}

fn define_for_generator() {
    GucRegistry::define_string_guc(
        c"socle.default_generator",
        c"Sets the generator that functions use when no generator is specified.",
        c"Empty by default, so that no text is written by a language model that was not chosen.",
        &DEFAULT_GENERATOR,
        GucContext::Userset,
        GucFlags::default(),
    );
    GucRegistry::define_int_guc(
        c"socle.generator_threads",
        c"Sets the number of threads the generator computes with.",
        c"0 means half of the processors, at least one: its threads wait for each other without sleeping, so that more than there are idle processors make it slower.",
        &GENERATOR_THREADS,
        0,
        1024,
        GucContext::Sighup,
        GucFlags::SUPERUSER_ONLY,
    );
    GucRegistry::define_int_guc(
        c"socle.generator_memory_limit",
        c"Sets the memory that loaded generators and their contexts may take.",
        c"When a further one needs room, the least recently used one that is idle is dropped from memory.",
        &GENERATOR_MEMORY_LIMIT,
        16,
        i32::MAX,
        GucContext::Sighup,
        GucFlags::SUPERUSER_ONLY | GucFlags::UNIT_MB,
    );
    GucRegistry::define_int_guc(
        c"socle.generator_idle_timeout",
        c"Sets the time without a request after which the generator ends.",
        c"It starts again when it is needed, and loads the model then. 0 means that it never ends for that.",
        &GENERATOR_IDLE_TIMEOUT,
        0,
        i32::MAX,
        GucContext::Sighup,
        GucFlags::SUPERUSER_ONLY | GucFlags::UNIT_S,
    );
}

fn define_for_sync() {
    GucRegistry::define_int_guc(
        c"socle.sync_workers",
        c"Sets the number of background workers that keep corpora in sync, over all databases.",
        c"With two, one writes while the engine works for the other. 0 stops the work; changes are still logged. Each takes one of max_worker_processes. The supervisor starts them, so a reload suffices.",
        &SYNC_WORKERS,
        0,
        64,
        GucContext::Sighup,
        GucFlags::SUPERUSER_ONLY,
    );
    GucRegistry::define_int_guc(
        c"socle.sync_timeout",
        c"Sets how long a transaction of a sync worker may run code that the owner of a corpus attached to its tables.",
        c"Triggers, defaults and check constraints. Beyond it the worker ends and the corpus is broken until it is resumed. The time applies per 10,000 rows. 0 means no limit: a trigger that does not end then occupies a worker.",
        &SYNC_TIMEOUT,
        0,
        1 << 20,
        GucContext::Sighup,
        GucFlags::SUPERUSER_ONLY | GucFlags::UNIT_S,
    );
}

/// `socle.sync_timeout`; zero for no limit.
pub fn sync_timeout() -> Duration {
    Duration::from_secs(u64::from(SYNC_TIMEOUT.get().unsigned_abs()))
}

/// `socle.default_model`; `None` when empty.
pub fn default_model() -> Option<String> {
    text(&DEFAULT_MODEL)
}

/// `socle.default_rerank_model`, or else `socle.default_model`.
pub fn default_rerank_model() -> Option<String> {
    own_default_rerank_model().or_else(default_model)
}

/// `socle.default_rerank_model`; `None` when empty.
pub fn own_default_rerank_model() -> Option<String> {
    text(&DEFAULT_RERANK_MODEL)
}

/// `socle.truncate_input`.
pub fn truncate_input() -> bool {
    TRUNCATE_INPUT.get()
}

/// `socle.max_input_bytes`.
pub fn max_input_bytes() -> usize {
    usize::try_from(MAX_INPUT.get()).unwrap_or_default()
}

/// `socle.model_directory` with `$sharedir` resolved. A relative path is relative to the data directory.
pub fn model_directory() -> PathBuf {
    resolve(&MODEL_DIRECTORY)
}

/// `socle.onnxruntime_library` with `$libdir` resolved.
pub fn onnxruntime_library() -> PathBuf {
    resolve(&ONNXRUNTIME_LIBRARY)
}

/// `socle.engine_threads`.
pub fn engine_threads() -> u32 {
    ENGINE_THREADS.get().unsigned_abs()
}

/// `socle.engine_memory_limit` in bytes.
pub fn engine_memory_limit() -> u64 {
    u64::from(ENGINE_MEMORY_LIMIT.get().unsigned_abs()) << 20
}

/// `socle.engine_batch_tokens`.
pub fn engine_batch_tokens() -> u32 {
    ENGINE_BATCH_TOKENS.get().unsigned_abs()
}

/// `socle.default_generator`; `None` when empty.
pub fn default_generator() -> Option<String> {
    text(&DEFAULT_GENERATOR)
}

/// `socle.generator_threads`.
pub fn generator_threads() -> u32 {
    GENERATOR_THREADS.get().unsigned_abs()
}

/// `socle.generator_memory_limit` in bytes.
pub fn generator_memory_limit() -> u64 {
    u64::from(GENERATOR_MEMORY_LIMIT.get().unsigned_abs()) << 20
}

/// `socle.generator_idle_timeout` in seconds; 0 for never.
pub fn generator_idle_timeout() -> u32 {
    GENERATOR_IDLE_TIMEOUT.get().unsigned_abs()
}

/// `socle.sync_workers`.
pub fn sync_workers() -> usize {
    usize::try_from(SYNC_WORKERS.get()).unwrap_or_default()
}

/// The server's directory of libraries.
pub fn library_directory() -> PathBuf {
    // SAFETY: set before any session or worker starts, and never changed.
    let path = unsafe { CStr::from_ptr((&raw const pg_sys::pkglib_path).cast::<c_char>()) };
    PathBuf::from(path.to_string_lossy().into_owned())
}

fn share_directory() -> PathBuf {
    let mut path = [0 as c_char; pg_sys::MAXPGPATH as usize];
    // SAFETY: the function writes a C string of at most MAXPGPATH bytes.
    let path = unsafe {
        pg_sys::get_share_path((&raw const pg_sys::my_exec_path).cast(), path.as_mut_ptr());
        CStr::from_ptr(path.as_ptr())
    };
    PathBuf::from(path.to_string_lossy().into_owned())
}

fn resolve(setting: &GucSetting<Option<CString>>) -> PathBuf {
    let path = text(setting).unwrap_or_default();
    for (name, directory) in [("$sharedir", share_directory()), ("$libdir", library_directory())] {
        if let Some(rest) = path.strip_prefix(name) {
            return directory.join(rest.trim_start_matches('/'));
        }
    }
    PathBuf::from(path)
}

fn text(setting: &GucSetting<Option<CString>>) -> Option<String> {
    setting.get().map(|text| text.to_string_lossy().into_owned()).filter(|text| !text.is_empty())
}

/// The search_path of everything that is not the caller's own.
pub const PINNED_SEARCH_PATH: (&CStr, &CStr) = (c"search_path", c"pg_catalog, pg_temp");

/// Suppresses notices, such as of objects that DROP IF EXISTS does not find.
pub const QUIET: (&CStr, &CStr) = (c"client_min_messages", c"warning");

/// Settings for the conversion of values to text: the same in every session that reads, hashes or compares a document,
/// so that the same row always gives the same bytes.
pub const RENDERING: [(&CStr, &CStr); 10] = [
    (c"TimeZone", c"UTC"),
    (c"DateStyle", c"ISO, MDY"),
    (c"IntervalStyle", c"postgres"),
    (c"extra_float_digits", c"1"),
    (c"bytea_output", c"hex"),
    (c"xmlbinary", c"base64"),
    (c"quote_all_identifiers", c"off"),
    (c"lc_monetary", c"C"),
    (c"lc_numeric", c"C"),
    (c"lc_time", c"C"),
];

/// Runs `work`, which makes texts of values, so that every number of floating point has all of its digits.
pub fn with_all_digits<T>(work: impl FnOnce() -> T) -> T {
    const ALL_DIGITS: (&CStr, &CStr) = (c"extra_float_digits", c"1");
    // SAFETY: reads a variable of this process.
    if unsafe { pg_sys::extra_float_digits } > 0 { work() } else { with_gucs(&[ALL_DIGITS], work) }
}

/// Runs `work` under these settings, which end with it, or with the (sub)transaction that an error ends.
pub fn with_gucs<T>(settings: &[(&CStr, &CStr)], work: impl FnOnce() -> T) -> T {
    // SAFETY: inside a transaction, which restores the settings when it fails.
    unsafe {
        let level = pg_sys::NewGUCNestLevel();
        settings.iter().for_each(|setting| set(*setting));
        let result = work();
        pg_sys::AtEOXact_GUC(false, level);
        result
    }
}

/// Runs `work` under [`PINNED_SEARCH_PATH`]; whatever it sets ends with it.
pub fn in_guc_nest_level<T>(work: impl FnOnce() -> T) -> T {
    // SAFETY: the text of a setting of this process, read at once.
    let path = unsafe { CStr::from_ptr(pg_sys::namespace_search_path) };
    // Setting it costs more than comparing it.
    if path == PINNED_SEARCH_PATH.1 { with_gucs(&[], work) } else { with_gucs(&[PINNED_SEARCH_PATH], work) }
}

fn set((name, value): (&CStr, &CStr)) {
    // SAFETY: C strings that live as long as the call, inside a GUC nest level.
    unsafe {
        pg_sys::set_config_option(
            name.as_ptr(),
            value.as_ptr(),
            pg_sys::GucContext::PGC_USERSET,
            pg_sys::GucSource::PGC_S_SESSION,
            pg_sys::GucAction::GUC_ACTION_SAVE,
            true,
            0,
            false,
        );
    }
}
