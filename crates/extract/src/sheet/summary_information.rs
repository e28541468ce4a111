//! Metadata of compound files: the summary information property set (MS-OLEPS).

use super::biff::{long, number};
use crate::encoding::{code_page, decode};
use socle_core::document::Metadata;

/// Property identifiers.
const CODE_PAGE: u32 = 1;
const TITLE: u32 = 2;
const AUTHOR: u32 = 4;
const CREATED: u32 = 12;
const SAVED: u32 = 13;
/// Property types.
const SHORT: u32 = 2;
const TEXT: u32 = 0x1e;
const WIDE_TEXT: u32 = 0x1f;
const TIME: u32 = 0x40;
/// Maximum number of properties examined.
const MAX_PROPERTIES: usize = 1000;
/// Seconds between the Windows epoch (1601) and the Unix epoch (1970).
const TO_1970: i64 = 11_644_473_600;

/// Reads the properties into `metadata`. Damaged ones are ignored.
pub(super) fn read(stream: &[u8], metadata: &mut Metadata) {
    let size = |number: u32| usize::try_from(number).unwrap_or(usize::MAX);
    // The header refers to one or two property sets.
    let set = stream.get(size(long(stream, 44))..).unwrap_or_default();
    let entries = set.get(8..).unwrap_or_default().chunks_exact(8).take(size(long(set, 4)).min(MAX_PROPERTIES));
    let find = |id: u32| -> Option<&[u8]> {
        let entry = entries.clone().find(|entry| long(entry, 0) == id)?;
        set.get(size(long(entry, 4))..)
    };
    let page = find(CODE_PAGE).filter(|value| long(value, 0) == SHORT).map(|value| u32::from(number(value, 4)));
    let charset = page.and_then(code_page);
    let text = |id: u32| -> Option<String> {
        let value = find(id)?;
        let length = size(long(value, 4));
        let bytes = |length: usize| value.get(8..).map(|rest| rest.get(..length).unwrap_or(rest));
        let text = match long(value, 0) {
            WIDE_TEXT => {
                encoding_rs::UTF_16LE.decode_without_bom_handling(bytes(length.saturating_mul(2))?).0.into_owned()
            }
            TEXT => {
                let text = bytes(length)?;
                let end = text.iter().position(|byte| *byte == 0).unwrap_or(text.len());
                decode(text.get(..end)?, charset.as_deref()).into_owned()
            }
            _ => return None,
        };
        Some(text.trim_end_matches('\0').to_string()).filter(|text| !text.trim().is_empty())
    };
    let time = |id: u32| -> Option<String> {
        let value = find(id).filter(|value| long(value, 0) == TIME)?;
        let ticks = u64::from(long(value, 4)) | u64::from(long(value, 8)) << 32;
        let seconds = i64::try_from(ticks / 10_000_000).ok()?.checked_sub(TO_1970)?;
        let time = mail_parser::DateTime::from_timestamp(seconds);
        (ticks > 0 && (1970..=9999).contains(&time.year)).then(|| time.to_rfc3339())
    };
    metadata.title = text(TITLE);
    metadata.author = text(AUTHOR);
    metadata.created = time(CREATED);
    metadata.modified = time(SAVED);
}
