//! Streams are unpacked here, and every byte that comes out is counted.

use crate::archive::unpacks_to_too_much;
use crate::limits::Limits;
use hayro_syntax::Filter;
use hayro_syntax::object::Stream;
use socle_core::Result;
use std::borrow::Cow;
use std::io::Read;

/// Deflate packs at most 1032 bytes into one (zlib's technical notes).
const MOST_PACKED: usize = 1032;

/// The shortest stream counts as so many bytes, since forms can ask for each other over and over.
const LEAST: usize = 1024;

/// The bytes of a stream; none if it is damaged or an image.
///
/// # Errors
/// [`InputTooLong`](socle_core::Kind::InputTooLong) if more is unpacked than the document may.
pub(super) fn unpack<'a>(stream: &Stream<'a>, limits: &mut Limits) -> Result<Option<Cow<'a, [u8]>>> {
    let packed = stream.raw_data();
    if packed.len().saturating_mul(MOST_PACKED) > limits.unpacked && stream.filters().contains(&Filter::FlateDecode) {
        measure(&packed, limits.unpacked)?;
    }
    let Ok(bytes) = stream.decoded_data() else { return Ok(None) };
    limits.unpacked = limits.unpacked.checked_sub(bytes.len().max(LEAST)).ok_or_else(unpacks_to_too_much)?;
    Ok(Some(bytes))
}

/// Unpacks without keeping anything, since the library that does it knows no limit.
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
