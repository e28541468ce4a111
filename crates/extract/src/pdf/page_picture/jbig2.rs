//! JBIG2 data of a picture.

use super::{Condition, MAX_BYTES, data::of};
use hayro_jbig2::{DecodeSettings, Decoder, Globals, Page};
use hayro_syntax::object::{Dict, Stream};

/// Takes pixels and does nothing with them.
struct Nowhere;

impl Decoder for Nowhere {
    fn push_pixel(&mut self, _: bool) {}
    fn push_pixel_chunk(&mut self, _: bool, _: u32) {}
    fn next_line(&mut self) {}
}

/// The condition of a picture. Its segments state their lengths: one that lacks a part is an error.
pub(super) fn condition(data: &[u8], parameters: &Dict<'_>) -> Condition {
    let lenient = DecodeSettings { strict: false };
    let globals = parameters.get::<Stream<'_>>("JBIG2Globals").map(|globals| globals.decoded_data());
    let globals = match globals {
        Some(Ok(bytes)) => Globals::new(&bytes, &lenient).map(Some),
        Some(Err(_)) => return Condition::Damaged,
        None => Ok(None),
    };
    let Ok(globals) = globals else { return Condition::Damaged };
    let size = Page::new_embedded(data, globals.as_ref(), &lenient).map(|page| (page.width(), page.height()));
    match size {
        Err(_) => return Condition::Damaged,
        Ok((width, height)) if u64::from(width) * u64::from(height) > MAX_BYTES => return Condition::TooLarge,
        Ok(_) => {}
    }
    let is_whole = |data: &[u8]| {
        let page = Page::new_embedded(data, globals.as_ref(), &DecodeSettings { strict: true });
        page.and_then(|page| page.decode(&mut Nowhere)).is_ok()
    };
    // A line end before `endstream` is counted as data by some programs.
    let trimmed = data.trim_ascii_end();
    of(is_whole(data) || (trimmed.len() < data.len() && is_whole(trimmed)))
}
