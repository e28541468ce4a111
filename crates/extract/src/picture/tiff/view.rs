//! A file as its decoder can read it: with the bits of each byte in the order it knows, and numbers of colours as grey.

use super::failed;
use socle_core::Result;
use std::io::{Cursor, Read, Seek, SeekFrom};
use tiff::decoder::Decoder;
use tiff::tags::Tag;

/// Value of `FillOrder` for bytes whose lowest bit comes first.
pub(super) const LOWEST_FIRST: u16 = 2;
/// Values of `Compression` whose data are stored with their bits in that order. Fax is turned where it is decoded, and a JPEG
/// is stored as it always is.
const TURNED: [u16; 5] = [1, 5, 8, 32_773, 32_946];
/// Value of `PhotometricInterpretation` for grey.
const BLACK_IS_ZERO: u8 = 1;

/// A file of which some bytes are read as others.
pub(super) struct View<'a> {
    file: Cursor<&'a [u8]>,
    replaced: Vec<(usize, u8)>,
    is_turned: bool,
}

impl<'a> View<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { file: Cursor::new(bytes), replaced: Vec::new(), is_turned: false }
    }

    /// The bytes as they are in the file.
    pub(super) fn whole(&self) -> &'a [u8] {
        self.file.get_ref()
    }

    /// From here on, all is read as it is in the file.
    pub(super) fn as_it_is(&mut self) {
        self.replaced.clear();
        self.is_turned = false;
    }
}

impl Read for View<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let begin = usize::try_from(self.file.position()).unwrap_or(usize::MAX);
        let count = self.file.read(buffer)?;
        let read = buffer.get_mut(..count).unwrap_or_default();
        for (at, byte) in &self.replaced {
            if let Some(place) = at.checked_sub(begin).and_then(|at| read.get_mut(at)) {
                *place = *byte;
            }
        }
        if self.is_turned {
            read.iter_mut().for_each(|byte| *byte = byte.reverse_bits());
        }
        Ok(count)
    }
}

impl Seek for View<'_> {
    fn seek(&mut self, place: SeekFrom) -> std::io::Result<u64> {
        self.file.seek(place)
    }
}

/// Has the data of the present page read with their bits in the usual order, which must be the last that is read of it.
pub(super) fn turn(decoder: &mut Decoder<View<'_>>) {
    let mut tag = |tag| decoder.find_tag_unsigned::<u16>(tag).ok().flatten();
    let is_lowest_first = tag(Tag::FillOrder) == Some(LOWEST_FIRST);
    let is_turned = is_lowest_first && TURNED.contains(&tag(Tag::Compression).unwrap_or(1));
    decoder.inner().is_turned = is_turned;
}

/// Has the samples of the present page read as grey, whatever they mean. `at` is its place among the pages.
///
/// # Errors
/// [`socle_core::Kind::DamagedDocument`].
pub(super) fn as_grey(decoder: &mut Decoder<View<'_>>, at: usize) -> Result<()> {
    let directory = decoder.ifd_pointer().and_then(|pointer| usize::try_from(pointer.0).ok());
    let places = directory.map(|directory| interpretations(decoder.inner().whole(), directory)).unwrap_or_default();
    decoder.inner().replaced = places.into_iter().map(|place| (place, BLACK_IS_ZERO)).collect();
    decoder.seek_to_image(at).map_err(failed)
}

/// Where the lowest bytes of all entries `PhotometricInterpretation` of a directory are.
fn interpretations(bytes: &[u8], directory: usize) -> Vec<usize> {
    let is_big_endian = bytes.first() == Some(&b'M');
    let number = |at: usize, length: usize| {
        let digits = bytes.get(at..at.checked_add(length)?)?;
        let digit = |value: u64, byte: &u8| value << 8 | u64::from(*byte);
        Some(if is_big_endian { digits.iter().fold(0, digit) } else { digits.iter().rev().fold(0, digit) })
    };
    let is_long = number(2, 2) == Some(43);
    let (head, entry) = if is_long { (8, 20) } else { (2, 12) };
    let count = number(directory, head).and_then(|count| usize::try_from(count).ok()).unwrap_or_default();
    let entries = (directory.saturating_add(head)..bytes.len()).step_by(entry).take(count);
    let value = |at: usize| {
        let length = match number(at + 2, 2)? {
            1 => 1,
            3 => 2,
            4 => 4,
            16 if is_long => 8,
            _ => return None,
        };
        Some(at + if is_long { 12 } else { 8 } + if is_big_endian { length - 1 } else { 0 })
    };
    entries
        .filter(|at| number(*at, 2) == Some(u64::from(Tag::PhotometricInterpretation.to_u16())))
        .filter_map(value)
        .collect()
}
