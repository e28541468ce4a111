//! Files attached to or embedded in a document, each written under a heading of its own.

use crate::{Media, Writer};
use socle_core::{Error, Kind, Result};

/// Writes an attached file. A file that cannot be read is replaced by a line with the reason.
///
/// # Errors
/// [`Kind::InputTooLong`], if the document exceeds its limit; those of [`write_unreadable`].
pub(crate) fn write_attachment(name: &str, media_type: Option<&str>, bytes: &[u8], writer: &mut Writer) -> Result<()> {
    let media = match Media::detect(bytes, media_type, Some(name)) {
        Ok(media) => media,
        Err(error) => return write_unreadable(name, &error, writer),
    };
    // A mail has a heading of its own.
    if matches!(media, Media::Mail | Media::Msg) {
        let result = writer.nested(1, |writer| crate::read(media, bytes, writer));
        return result.or_else(|error| write_unreadable(name, &error, writer));
    }
    let before = writer.length();
    writer.heading(2, name)?;
    let start = writer.length();
    let result = writer.nested(2, |writer| crate::read(media, bytes, writer));
    // Remove a heading without content.
    if writer.length() == start {
        writer.truncate(before);
    }
    match result {
        Err(error) => write_unreadable(name, &error, writer),
        Ok(()) if writer.length() == before => {
            write_unreadable(name, &Error::new(Kind::NotSupported, "no text"), writer)
        }
        Ok(()) => Ok(()),
    }
}

/// Writes a line in place of an attachment that cannot be read.
///
/// # Errors
/// What is no fault of the attachment, as when its pictures may not be recognised.
pub(crate) fn write_unreadable(name: &str, error: &Error, writer: &mut Writer) -> Result<()> {
    if !matches!(error.kind, Kind::DamagedDocument | Kind::NotSupported | Kind::InputTooLong) {
        return Err(error.clone());
    }
    let name = if name.trim().is_empty() { "without a name" } else { name };
    writer.paragraph(&format!("attachment {}: {error}", name.split_whitespace().collect::<Vec<_>>().join(" ")))
}
