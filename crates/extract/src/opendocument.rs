//! Texts and presentations of LibreOffice (OpenDocument).

use crate::Writer;
use socle_core::{Error, Kind, Result};

/// Writes what the document says.
///
/// # Errors
/// See [`crate::extract`].
pub fn read(_bytes: &[u8], _writer: &mut Writer) -> Result<()> {
    Err(Error::new(Kind::NotSupported, "this format cannot be read yet"))
}
