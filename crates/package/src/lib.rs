//! Packages of models: one tar file with `manifest.json`, the files that it lists, and perhaps its signature.
//!
//! Reads and writes streams that it is given, some bytes at a time; opens no file and knows nothing of PostgreSQL. A package is
//! input that anybody may have made: nothing of it is interpreted but a header of 512 bytes for each file, written here in safe
//! Rust, and the manifest, which is JSON of limited size. There is no compression, so that no package is larger inside than
//! outside. What the files of a model mean is left to the engine.

mod manifest;
mod reader;
mod signature;
mod tar;

pub use manifest::{
    FORMAT, FORMAT_VERSION, GeneratorParameters, MANIFEST, MAX_MANIFEST_BYTES, Manifest, ModelParameters, PackageFile,
    SIGNATURE,
};
pub use reader::{PART_BYTES, Package, Store, read};
pub use signature::{PublicKey, check_signature, key_of};
pub use tar::{BLOCK, END, header, padding};

use socle_core::{Error, Kind};

/// Largest part of a package that the detail of an error repeats, in bytes.
const MAX_QUOTED_BYTES: usize = 200;

/// The error for bytes that are not a package.
fn damaged(why: &str) -> Error {
    let end = why.floor_char_boundary(MAX_QUOTED_BYTES);
    let more = if end < why.len() { "…" } else { "" };
    Error::new(Kind::DamagedDocument, "the package is damaged").detail(format!("{}{more}", &why[..end]))
}
