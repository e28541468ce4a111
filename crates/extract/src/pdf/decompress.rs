//! Decompression of streams; every byte of output counts against the limit.

use crate::archive::unpacks_to_too_much;
use crate::limits::Limits;
use hayro_syntax::Filter;
use hayro_syntax::object::Stream;
use socle_core::Result;
use std::borrow::Cow;
use std::io::Read;

/// Maximum compression ratio of Deflate (zlib's technical notes).
const MOST_PACKED: usize = 1032;

/// Minimum number of bytes counted per stream, because forms can refer to each other repeatedly.
const LEAST: usize = 1024;

/// Decompresses a stream; `None` if it is damaged or an image.
///
/// # Errors
/// [`InputTooLong`](socle_core::Kind::InputTooLong) if the total exceeds the limit.
pub(super) fn unpack<'a>(stream: &Stream<'a>, limits: &mut Limits) -> Result<Option<Cow<'a, [u8]>>> {
    let packed = stream.raw_data();
    if packed.len().saturating_mul(MOST_PACKED) > limits.unpacked && stream.filters().contains(&Filter::FlateDecode) {
        measure(&packed, limits.unpacked)?;
    }
    let Ok(bytes) = stream.decoded_data() else { return Ok(None) };
    limits.unpacked = limits.unpacked.checked_sub(bytes.len().max(LEAST)).ok_or_else(unpacks_to_too_much)?;
    Ok(Some(bytes))
}

/// Decompresses without storing the output, because the library has no limit.
fn measure(packed: &[u8], most: usize) -> Result<()> {
    let mut unpacked = flate2::read::ZlibDecoder::new(packed);
    let mut buffer = vec![0; 64 * 1024];
    let mut length = 0usize;
    while let Ok(count @ 1..) = unpacked.read(&mut buffer) {
        length = length.saturating_add(count);
        if length > most {
            return Err(unpacks_to_too_much());
        }
    }
    Ok(())
}
