//! Fax data of a picture (CCITT, groups 3 and 4).

use super::data::Layout;
use super::{Condition, MAX_BYTES, data::of, is_loss};
use hayro_ccitt::{DecodeSettings, Decoder, DecoderContext, EncodingMode};
use hayro_syntax::object::Dict;

/// Counts rows.
struct Rows(u32);

impl Decoder for Rows {
    fn push_row(&mut self, _: &[u32]) {
        self.0 += 1;
    }
}

/// The condition of a picture: it is whole if all rows are there, or as many as there are before a mark of their end.
pub(super) fn condition(data: &[u8], layout: &Layout, parameters: &Dict<'_>) -> Condition {
    let columns = parameters.get::<u32>("Columns").unwrap_or(1728);
    if u64::from(columns) * u64::from(layout.height) > MAX_BYTES {
        return Condition::TooLarge;
    }
    let flag = |key: &str| parameters.get::<bool>(key);
    let settings = DecodeSettings {
        columns,
        rows: layout.height,
        end_of_block: flag("EndOfBlock").unwrap_or(true),
        end_of_line: flag("EndOfLine").unwrap_or(false),
        rows_are_byte_aligned: flag("EncodedByteAlign").unwrap_or(false),
        encoding: match parameters.get::<i32>("K").unwrap_or(0) {
            ..0 => EncodingMode::Group4,
            0 => EncodingMode::Group3_1D,
            _ => EncodingMode::Group3_2D,
        },
        strict: false,
    };
    let mut rows = Rows(0);
    let end = hayro_ccitt::decode(data, &mut rows, &mut DecoderContext::new(settings));
    let is_ended = end.is_ok_and(|end| rows.0 > 0 && has_end(data.get(..end).unwrap_or(data)));
    of(is_ended || !is_loss(layout.height.saturating_sub(rows.0), layout.height))
}

/// Whether the last bytes have the code of the end of a row, which stands at the end of a page twice or more.
fn has_end(data: &[u8]) -> bool {
    const CODE: u64 = 0x001;
    let last = data.iter().rev().take(8).rev().fold(0_u64, |bits, byte| bits << 8 | u64::from(*byte));
    data.len() >= 8 && (0..40).any(|shift| last >> shift & 0xfff == CODE)
}
