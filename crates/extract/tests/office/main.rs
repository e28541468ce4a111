//! Office documents that real programs wrote from a known text: how many of its words arrive in their order, and whether
//! headings, lists, tables, pages and metadata do. And documents that nobody should have written.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

#[path = "../known/mod.rs"]
mod known;

mod drawing;
mod feature;
mod hostile;
mod text;
mod workbook;
mod xls;

use socle_core::Result;
use socle_core::document::{BlockKind, Document};
use socle_extract::{Limits, extract};

/// Reads bytes as a file of that name.
fn read(bytes: &[u8], name: &str) -> Result<Document> {
    extract(bytes, None, Some(name), Limits { output: 4 << 20, unpacked: 2 << 20, depth: 4 })
}

/// A fixture.
fn fixture(name: &str) -> Vec<u8> {
    std::fs::read(known::path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// What a fixture becomes.
fn document(name: &str) -> Document {
    read(&fixture(name), name).unwrap_or_else(|error| panic!("{name}: {error:?}"))
}

/// Contents of the blocks of a kind.
fn blocks(document: &Document, is_wanted: impl Fn(BlockKind) -> bool) -> Vec<&str> {
    document.rows().filter(|row| is_wanted(row.kind)).map(|row| row.content).collect()
}
