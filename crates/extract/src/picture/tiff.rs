//! TIFF, whose pages are pictures of their own: fax, JPEG, LZW, Deflate and PackBits.

mod fax;

use super::decode::{check, damaged, on_ground, takes_too_much_memory};
use super::orientation::upright;
use crate::Writer;
use crate::pdf::Recognition;
use socle_core::{Error, Kind, Result};
use socle_ocr::{Channels, MAX_PIXELS, Picture};
use std::io::Cursor;
use tiff::decoder::{Decoder, DecodingResult, Limits};
use tiff::tags::Tag;
use tiff::{ColorType, TiffError, TiffUnsupportedError};

/// Maximum number of pages of a file.
const MAX_PAGES: usize = 5_000;
/// Memory in bytes for the samples of a page: two of 16 bits for most pixels.
const MAX_SAMPLE_BYTES: usize = 4 * MAX_PIXELS as usize;
/// Values of `ResolutionUnit`.
const INCH: u16 = 2;
const CENTIMETRE: u16 = 3;

/// Recognises all pages of a file.
///
/// # Errors
/// [`Kind::DamagedDocument`], [`Kind::InputTooLong`], and those of the recognizer.
pub(super) fn recognize(bytes: &[u8], writer: &mut Writer) -> Result<Vec<Recognition>> {
    let mut limits = Limits::default();
    limits.decoding_buffer_size = MAX_SAMPLE_BYTES;
    limits.intermediate_buffer_size = MAX_SAMPLE_BYTES;
    let mut decoder = Decoder::new(Cursor::new(bytes)).map_err(failed)?.with_limits(limits);
    let pages = pages(bytes)?;
    let mut recognitions = Vec::with_capacity(pages);
    let mut picture = |at: usize| {
        if at > 0 {
            decoder.next_image().map_err(failed)?;
        }
        page(&mut decoder)
    };
    writer.ocr().recognize(pages, &mut picture, &mut |read| recognitions.push(Recognition::of(read)))?;
    Ok(recognitions)
}

/// The number of pages. A file whose pages follow one another in a circle is refused.
fn pages(bytes: &[u8]) -> Result<usize> {
    let mut decoder = Decoder::new(Cursor::new(bytes)).map_err(failed)?;
    let mut pages = 1;
    while decoder.more_images() {
        if pages == MAX_PAGES {
            return Err(Error::new(Kind::InputTooLong, format!("document has more than {MAX_PAGES} pages")));
        }
        decoder.next_image().map_err(failed)?;
        pages += 1;
    }
    Ok(pages)
}

fn page(decoder: &mut Decoder<Cursor<&[u8]>>) -> Result<Picture> {
    let (width, height) = decoder.dimensions().map_err(failed)?;
    check(width, height)?;
    let colours = decoder.colortype().map_err(failed)?;
    let dpi = dpi(decoder);
    let orientation = decoder.find_tag_unsigned::<u16>(Tag::Orientation).ok().flatten();
    let (channels, pixels) = match fax::pixels(decoder, width, height)? {
        Some(pixels) => (Channels::Grey, pixels),
        None => {
            let samples = decoder.read_image().map_err(|error| not_read(error, decoder))?;
            pixels(samples, colours, width as usize)?
        }
    };
    Ok(upright(Picture { width, height, channels, pixels, dpi }, orientation))
}

/// Pixels of an inch, if the file says so.
fn dpi(decoder: &mut Decoder<Cursor<&[u8]>>) -> Option<f32> {
    let unit = decoder.find_tag_unsigned::<u16>(Tag::ResolutionUnit).ok()?.unwrap_or(INCH);
    let resolution = decoder.find_tag(Tag::XResolution).ok()??.into_f32().ok()?;
    let dpi = match unit {
        INCH => resolution,
        CENTIMETRE => resolution * 2.54,
        _ => return None,
    };
    (dpi.is_finite() && (50.0..=2_400.0).contains(&dpi)).then_some(dpi)
}

/// One byte for each sample of the colours, without opacity.
fn pixels(samples: DecodingResult, colours: ColorType, width: usize) -> Result<(Channels, Vec<u8>)> {
    let samples = match samples {
        DecodingResult::U8(samples) if colours.bit_depth() < 8 => unpacked(&samples, colours, width),
        DecodingResult::U8(samples) => samples,
        DecodingResult::U16(samples) => samples.into_iter().map(|sample| (sample >> 8) as u8).collect(),
        _ => return Err(unknown()),
    };
    Ok(match colours {
        ColorType::Gray(_) => (Channels::Grey, samples),
        ColorType::GrayA(_) => (Channels::Grey, on_ground::<2>(&samples)),
        ColorType::RGB(_) | ColorType::YCbCr(_) => (Channels::Rgb, samples),
        ColorType::RGBA(_) => (Channels::Rgb, on_ground::<4>(&samples)),
        ColorType::CMYK(_) => (Channels::Rgb, samples.chunks_exact(4).flat_map(of_cmyk).collect()),
        _ => return Err(unknown()),
    })
}

/// Samples of 1, 2 or 4 bits, of which each row begins on a byte, as one byte each.
fn unpacked(packed: &[u8], colours: ColorType, width: usize) -> Vec<u8> {
    let bits = usize::from(colours.bit_depth()).max(1);
    let (samples, most) = (width * usize::from(colours.num_samples()), (1_u32 << bits) - 1);
    let mut bytes = Vec::with_capacity(packed.len() * 8 / bits);
    for row in packed.chunks_exact((samples * bits).div_ceil(8).max(1)) {
        bytes.extend((0..samples).map(|at| {
            let place = at * bits;
            let byte = row.get(place / 8).copied().unwrap_or_default();
            let sample = u32::from(byte) >> (8 - bits - place % 8) & most;
            (sample * 255 / most) as u8
        }));
    }
    bytes
}

/// Red, green and blue of cyan, magenta, yellow and black.
pub(super) fn of_cmyk(ink: &[u8]) -> [u8; 3] {
    let of = |at: usize| 255 - u32::from(ink.get(at).copied().unwrap_or_default());
    [0, 1, 2].map(|at| (of(at) * of(3) / 255) as u8)
}

fn unknown() -> Error {
    Error::new(Kind::NotSupported, "TIFF image has colours that cannot be read")
        .hint("Save it in grey, or in red, green and blue.")
}

fn failed(error: TiffError) -> Error {
    match error {
        TiffError::LimitsExceeded => takes_too_much_memory("TIFF image"),
        TiffError::UnsupportedError(what) => {
            Error::new(Kind::NotSupported, "TIFF image cannot be read").detail(what.to_string())
        }
        error => damaged("TIFF image", &error),
    }
}

/// The error for the data of a page, which may be compressed by a method that is not read.
fn not_read(error: TiffError, decoder: &mut Decoder<Cursor<&[u8]>>) -> Error {
    let is_unknown = matches!(
        error,
        TiffError::UnsupportedError(
            TiffUnsupportedError::UnsupportedCompressionMethod(_) | TiffUnsupportedError::UnknownCompressionMethod
        )
    );
    let method = decoder.find_tag_unsigned::<u16>(Tag::Compression).ok().flatten();
    let Some(method) = method.filter(|_| is_unknown) else { return failed(error) };
    let name = match method {
        2..=4 => "fax in tiles".into(),
        6 => "JPEG of the old kind".into(),
        9 | 10 | 34_661 => "JBIG".into(),
        33_003 | 33_005 | 34_712 => "JPEG 2000".into(),
        34_925 => "LZMA".into(),
        50_000 | 34_926 => "Zstandard".into(),
        50_001 | 34_927 => "WebP".into(),
        50_002 | 52_546 => "JPEG XL".into(),
        _ => format!("method {method}"),
    };
    Error::new(Kind::NotSupported, format!("TIFF image is compressed by {name}, which cannot be read"))
        .hint("Save it with the compression LZW, Deflate or fax of group 4, or as PNG or PDF.")
}
