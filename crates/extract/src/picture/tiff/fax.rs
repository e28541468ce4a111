//! Fax (CCITT) in strips: of group 3 in one dimension and in two, of group 4, and without marks at the ends of rows.

use super::view::{LOWEST_FIRST, View};
use super::{damaged, failed};
use crate::pdf::is_loss;
use hayro_ccitt::{DecodeSettings, DecoderContext, EncodingMode};
use socle_core::Result;
use std::borrow::Cow;
use tiff::decoder::{ChunkType, Decoder};
use tiff::tags::Tag;

/// Values of `Compression`.
const WITHOUT_MARKS: u16 = 2;
const GROUP_3: u16 = 3;
const GROUP_4: u16 = 4;
/// Bit of `T4Options` for two dimensions.
const TWO_DIMENSIONS: u32 = 1;
/// Value of `PhotometricInterpretation` for pictures in which what the fax calls white is black.
const BLACK_IS_ZERO: u16 = 1;

/// The rows of a strip as they come.
struct Rows<'p> {
    pixels: &'p mut [u8],
    width: usize,
    black: u8,
    count: usize,
}

impl hayro_ccitt::Decoder for Rows<'_> {
    fn push_row(&mut self, changes: &[u32]) {
        let begin = self.count * self.width;
        self.count += 1;
        let Some(row) = self.pixels.get_mut(begin..begin + self.width) else { return };
        for span in changes.chunks(2) {
            let from = span.first().map_or(0, |from| *from as usize);
            let to = span.get(1).map_or(self.width, |to| *to as usize);
            if let Some(span) = row.get_mut(from..to) {
                span.fill(self.black);
            }
        }
    }
}

/// One byte for each pixel of a page; `None` if it is no fax, or in tiles.
///
/// # Errors
/// [`socle_core::Kind::DamagedDocument`] if rows are missing.
pub(super) fn pixels(decoder: &mut Decoder<View<'_>>, width: u32, height: u32) -> Result<Option<Vec<u8>>> {
    let bytes = decoder.inner().whole();
    let mut tag = |tag| decoder.find_tag_unsigned::<u16>(tag).ok().flatten();
    let compression = tag(Tag::Compression).filter(|method| matches!(*method, WITHOUT_MARKS | GROUP_3 | GROUP_4));
    let (black_is_zero, lowest_first) =
        (tag(Tag::PhotometricInterpretation) == Some(BLACK_IS_ZERO), tag(Tag::FillOrder) == Some(LOWEST_FIRST));
    let Some(compression) = compression.filter(|_| decoder.get_chunk_type() == ChunkType::Strip) else {
        return Ok(None);
    };
    let options = decoder.find_tag_unsigned::<u32>(Tag::Unknown(292)).ok().flatten().unwrap_or_default();
    let each = decoder.find_tag_unsigned::<u32>(Tag::RowsPerStrip).map_err(failed)?.unwrap_or(height).clamp(1, height);
    let offsets = decoder.get_tag_u64_vec(Tag::StripOffsets).map_err(failed)?;
    let lengths = decoder.get_tag_u64_vec(Tag::StripByteCounts).map_err(failed)?;
    let settings = DecodeSettings {
        columns: width,
        rows: each,
        end_of_block: true,
        end_of_line: compression == GROUP_3,
        rows_are_byte_aligned: compression == WITHOUT_MARKS,
        encoding: match compression {
            GROUP_4 => EncodingMode::Group4,
            GROUP_3 if options & TWO_DIMENSIONS != 0 => EncodingMode::Group3_2D,
            _ => EncodingMode::Group3_1D,
        },
        strict: false,
    };
    let (white, black) = if black_is_zero { (0, 255) } else { (255, 0) };
    let mut pixels = vec![white; width as usize * height as usize];
    let mut missing = 0;
    let strips = pixels.chunks_mut(width as usize * each as usize);
    for (at, strip) in strips.enumerate() {
        let rows = strip.len() / width as usize;
        let begin = offsets.get(at).and_then(|begin| usize::try_from(*begin).ok()).unwrap_or(usize::MAX);
        let length = lengths.get(at).and_then(|length| usize::try_from(*length).ok()).unwrap_or_default();
        let data = bytes.get(begin..bytes.len().min(begin.saturating_add(length))).unwrap_or_default();
        let data =
            if lowest_first { data.iter().map(|byte| byte.reverse_bits()).collect() } else { Cow::Borrowed(data) };
        let mut found = Rows { pixels: strip, width: width as usize, black, count: 0 };
        let mut context = DecoderContext::new(DecodeSettings { rows: rows as u32, ..settings });
        // What it says is known from the number of rows.
        let _ = hayro_ccitt::decode(&data, &mut found, &mut context);
        missing += rows.saturating_sub(found.count);
    }
    if is_loss(missing as u32, height) {
        return Err(damaged("TIFF image", &format!("It lacks {missing} of its {height} rows.")));
    }
    Ok(Some(pixels))
}
