//! Decompresses RTF in Outlook messages (MS-OXRTFCP), an LZ77 variant.

use crate::archive::unpacks_to_too_much;
use socle_core::{Error, Kind, Result};

/// Initial contents of the window.
const DICTIONARY: &[u8] =
    b"{\\rtf1\\ansi\\mac\\deff0\\deftab720{\\fonttbl;}{\\f0\\fnil \\froman \\fswiss \\fmodern \\fscript \
    \\fdecor MS Sans SerifSymbolArialTimes New RomanCourier{\\colortbl\\red0\\green0\\blue0\r\n\\par \
    \\pard\\plain\\f0\\fs20\\b\\i\\u\\tab\\tx";
const WINDOW: usize = 4096;
const PACKED: &[u8] = b"LZFu";
const PLAIN: &[u8] = b"MELA";

/// Decompresses to RTF. `most`: maximum size of the result in bytes.
pub(super) fn unpack(bytes: &[u8], most: usize) -> Result<Vec<u8>> {
    let damaged = || Error::new(Kind::DamagedDocument, "rich text of the message is damaged");
    let (head, content) = bytes.split_at_checked(16).ok_or_else(damaged)?;
    let size = head.get(4..8).and_then(|size| size.try_into().ok()).map_or(0, u32::from_le_bytes);
    let size = usize::try_from(size).unwrap_or(usize::MAX);
    match head.get(8..12) {
        Some(PLAIN) => Ok(content.get(..size).unwrap_or(content).to_vec()),
        Some(PACKED) => unpack_content(content, size, most),
        _ => Err(damaged()),
    }
}

fn unpack_content(content: &[u8], size: usize, most: usize) -> Result<Vec<u8>> {
    let mut window = [0_u8; WINDOW];
    for (slot, byte) in window.iter_mut().zip(DICTIONARY) {
        *slot = *byte;
    }
    let mut place = DICTIONARY.len();
    let mut text = Vec::new();
    let mut bytes = content.iter().copied();
    // Truncated data is decompressed as far as it goes.
    'all: while let Some(kinds) = bytes.next() {
        for bit in 0..8 {
            let Some(first) = bytes.next() else { break 'all };
            let (start, length) = if kinds >> bit & 1 == 0 {
                if let Some(slot) = window.get_mut(place) {
                    *slot = first;
                }
                (place, 1)
            } else {
                let Some(second) = bytes.next() else { break 'all };
                let reference = usize::from(first) << 8 | usize::from(second);
                // A reference to the current position marks the end.
                if reference >> 4 == place {
                    break 'all;
                }
                (reference >> 4, (reference & 0xf) + 2)
            };
            for step in 0..length {
                let byte = window.get((start + step) % WINDOW).copied().unwrap_or_default();
                if let Some(slot) = window.get_mut(place) {
                    *slot = byte;
                }
                place = (place + 1) % WINDOW;
                text.push(byte);
            }
            if text.len() > most {
                return Err(unpacks_to_too_much());
            }
            if text.len() >= size {
                break 'all;
            }
        }
    }
    text.truncate(size);
    Ok(text)
}
