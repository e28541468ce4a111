//! JPEG 2000 data of a picture.

use super::{Condition, MAX_BYTES, data::of};
use hayro_jpeg2000::{DecodeSettings, DecoderContext, Image};
use std::collections::HashSet;

/// Bytes at the end that may be missing, and their share of all in percent.
const FEW_BYTES: usize = 16;
const FEW_PERCENT: usize = 1;
/// The picture is decoded at a fraction of its size: the heads of its packets are then read all, and most of its samples are
/// not.
const FRACTION: u32 = 8;
const START: [u8; 4] = [0xff, 0x4f, 0xff, 0x51];
const END: [u8; 2] = [0xff, 0xd9];
const TILE_PART: [u8; 2] = [0xff, 0x90];

/// The condition of a picture.
pub(super) fn condition(data: &[u8]) -> Condition {
    let Ok(image) = Image::new(data, &DecodeSettings::default()) else { return Condition::Damaged };
    let (width, height) = (image.width(), image.height());
    if u64::from(width) * u64::from(height) > MAX_BYTES {
        return Condition::TooLarge;
    }
    let size = ((width / FRACTION).max(1), (height / FRACTION).max(1));
    let is_sound = |data: &[u8]| {
        let settings = DecodeSettings { strict: true, target_resolution: Some(size), ..DecodeSettings::default() };
        Image::new(data, &settings).is_ok_and(|image| image.decode(&mut DecoderContext::default()).is_ok())
    };
    of(is_sound(data) || completed(data).is_some_and(|data| is_sound(&data)))
}

/// The data without their container, with the few bytes at the end that they may lack; `None` if more are missing.
fn completed(data: &[u8]) -> Option<Vec<u8>> {
    let data = data.get(data.windows(4).position(|head| head == START)?..)?;
    let u32_at = |at: usize| data.get(at..at + 4)?.try_into().ok().map(u32::from_be_bytes);
    // The sizes of the picture and of a tile, and where the first begins.
    let along = |at: usize| {
        let tile = u32_at(at + 16).filter(|tile| *tile > 0)?;
        u32_at(at)?.checked_sub(u32_at(at + 24)?).map(|length| u64::from(length.div_ceil(tile)))
    };
    let tiles = along(8)? * along(12)?;
    let (mut at, mut seen) = (2, HashSet::new());
    loop {
        let marker = data.get(at..at + 2);
        if marker == Some(&TILE_PART) {
            seen.insert(data.get(at + 4..at + 6)?);
            at = match u32_at(at + 6)? {
                0 => data.len(),
                length => at + length as usize,
            };
        } else if !seen.is_empty() {
            break;
        } else {
            at += 2 + usize::from(u16::from_be_bytes(data.get(at + 2..at + 4)?.try_into().ok()?));
        }
    }
    let missing = at.saturating_sub(data.len());
    if (seen.len() as u64) < tiles || missing > FEW_BYTES.max(data.len() / 100 * FEW_PERCENT) {
        return None;
    }
    let mut whole = data.get(..at.min(data.len()))?.to_vec();
    whole.resize(whole.len() + missing, 0);
    whole.extend(END);
    Some(whole)
}
