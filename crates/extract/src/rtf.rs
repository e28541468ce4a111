//! Rich Text Format, read as a flat sequence of tokens with a stack of group states, as its specification recommends.
//! List labels are part of the text; [`header`] reads fonts, styles and metadata.

mod encoding;
mod header;
mod reader;
mod token;

use crate::Writer;
use crate::picture::{of_data_url, write_referenced};
use reader::Reader;
use socle_core::{Error, Kind, Result};
use token::{Token, Tokens};

/// Maximum nesting of groups. Word writes a few dozen.
const MAX_DEPTH: usize = 1000;

/// Whether a file begins as RTF does. It is no text, because pictures may be in it as they are.
pub fn is_rtf(bytes: &[u8]) -> bool {
    begun(bytes).is_some()
}

/// The document from its first group on.
fn begun(bytes: &[u8]) -> Option<&[u8]> {
    let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes).trim_ascii_start();
    text.starts_with(b"{\\rtf").then_some(text)
}

/// Reads the document and writes it as Markdown.
///
/// # Errors
/// As [`crate::extract`].
pub fn read(bytes: &[u8], writer: &mut Writer) -> Result<()> {
    let bytes = begun(bytes).ok_or_else(|| damaged("it does not begin as RTF does"))?;
    let start = writer.length();
    let mut reader = Reader::new(writer);
    let mut depth = 0usize;
    for token in Tokens::new(bytes) {
        match token {
            Token::Open => {
                depth += 1;
                if depth > MAX_DEPTH {
                    return Err(damaged("its groups are nested too deeply"));
                }
                reader.open()?;
            }
            Token::Close => {
                reader.close()?;
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    break;
                }
            }
            token => reader.token(&token)?,
        }
    }
    // Some writers omit the last brace, which cannot be distinguished from truncation.
    let is_cut = depth > 0;
    reader.finish()?;
    let load = &mut |url: &str, _: &mut Writer| Ok(of_data_url(url));
    write_referenced(start..writer.length(), writer, load)?;
    if is_cut && writer.length() == start {
        return Err(damaged("it ends within a group"));
    }
    if is_cut {
        writer.metadata().incomplete = Some("the file ends within a group".to_string());
    }
    Ok(())
}

fn damaged(detail: &str) -> Error {
    Error::new(Kind::DamagedDocument, "document is damaged").detail(detail)
}
