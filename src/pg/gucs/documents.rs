//! The settings of documents: which are read, by what, and within which limits. The limits protect the server, so only
//! superusers may change them.

use super::{max_input_bytes, text};
use pgrx::guc::{GucContext, GucFlags, GucRegistry, GucSetting};
use socle_core::document::ExtractLimits;
use socle_core::protocol::MAX_INPUT_BYTES;
use std::ffi::CString;

static OCR_MODEL: GucSetting<Option<CString>> = GucSetting::<Option<CString>>::new(Some(c""));
static MAX_DOCUMENT: GucSetting<i32> = GucSetting::<i32>::new(64 << 20);
static EXTRACT_TIMEOUT: GucSetting<i32> = GucSetting::<i32>::new(60);
static EXTRACT_MEMORY_LIMIT: GucSetting<i32> = GucSetting::<i32>::new(1024);

/// An hour in seconds: scans of more than a thousand pages, of which each takes 2 to 3.
static OCR_TIMEOUT: GucSetting<i32> = GucSetting::<i32>::new(3600);

/// Defines the settings.
pub fn define() {
    GucRegistry::define_int_guc(
        c"socle.max_document_bytes",
        c"Sets the largest file that a function reads text from.",
        c"Larger documents raise an error before they are decompressed. Their text is limited by socle.max_input_bytes.",
        &MAX_DOCUMENT,
        1,
        MAX_INPUT_BYTES as i32,
        GucContext::Suset,
        GucFlags::UNIT_BYTE,
    );
    GucRegistry::define_string_guc(
        c"socle.ocr_model",
        c"Sets the model that reads pictures of text in documents.",
        c"Empty by default: pages that are pictures are counted and left out.",
        &OCR_MODEL,
        GucContext::Userset,
        GucFlags::default(),
    );
    GucRegistry::define_int_guc(
        c"socle.extract_timeout",
        c"Sets the longest time that reading one document may take.",
        c"A thousand pages take some seconds. A file that takes longer may be crafted to keep the server busy.",
        &EXTRACT_TIMEOUT,
        1,
        3600,
        GucContext::Suset,
        GucFlags::UNIT_S,
    );
    GucRegistry::define_int_guc(
        c"socle.ocr_timeout",
        c"Sets the longest time for which the pictures of one document may be recognized.",
        c"Counts processor time alone: a page takes 2 to 3 seconds, and no document fails because the machine is busy. 0 means no limit.",
        &OCR_TIMEOUT,
        0,
        30 * 24 * 3600,
        GucContext::Suset,
        GucFlags::UNIT_S,
    );
    GucRegistry::define_int_guc(
        c"socle.extract_memory_limit",
        c"Sets the memory that reading one document may take.",
        c"Applies to the process that is started for each document. At least 64 MB, because the program itself takes part of it.",
        &EXTRACT_MEMORY_LIMIT,
        64,
        1 << 20,
        GucContext::Suset,
        GucFlags::UNIT_MB,
    );
}

/// `socle.ocr_model`; `None` when empty.
pub fn ocr_model() -> Option<String> {
    text(&OCR_MODEL)
}

/// `socle.max_document_bytes`.
pub fn max_document_bytes() -> usize {
    usize::try_from(MAX_DOCUMENT.get()).unwrap_or_default()
}

/// Limits for reading one document.
pub fn extract_limits() -> ExtractLimits {
    ExtractLimits {
        seconds: EXTRACT_TIMEOUT.get().unsigned_abs(),
        memory_bytes: u64::from(EXTRACT_MEMORY_LIMIT.get().unsigned_abs()) << 20,
        text_bytes: max_input_bytes() as u64,
        recognition_seconds: OCR_TIMEOUT.get().unsigned_abs(),
    }
}
