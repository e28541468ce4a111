//! TIFF, whose pages are pictures of their own: fax, JPEG, LZW, Deflate and PackBits.

use super::decode::{check, damaged, on_white};
use crate::Writer;
use crate::pdf::Recognition;
use socle_core::{Error, Kind, Result};
use socle_ocr::{Channels, MAX_PIXELS, Picture};
use std::io::Cursor;
use tiff::decoder::{Decoder, DecodingResult, Limits};
use tiff::tags::Tag;
use tiff::{ColorType, TiffError};

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
    let samples = decoder.read_image().map_err(failed)?;
    let (channels, pixels) = pixels(samples, colours, width as usize)?;
    Ok(turned(Picture { width, height, channels, pixels, dpi }, orientation))
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

/// One byte for each sample of the colours, laid on white.
fn pixels(samples: DecodingResult, colours: ColorType, width: usize) -> Result<(Channels, Vec<u8>)> {
    let samples = match samples {
        DecodingResult::U8(samples) if colours.bit_depth() < 8 => unpacked(&samples, colours, width),
        DecodingResult::U8(samples) => samples,
        DecodingResult::U16(samples) => samples.into_iter().map(|sample| (sample >> 8) as u8).collect(),
        _ => return Err(unknown()),
    };
    Ok(match colours {
        ColorType::Gray(_) => (Channels::Grey, samples),
        ColorType::GrayA(_) => (Channels::Grey, on_white::<2>(&samples)),
        ColorType::RGB(_) | ColorType::YCbCr(_) => (Channels::Rgb, samples),
        ColorType::RGBA(_) => (Channels::Rgb, on_white::<4>(&samples)),
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

/// The picture turned as the tag `Orientation` says, as far as that occurs: by quarters.
fn turned(picture: Picture, orientation: Option<u16>) -> Picture {
    let (width, height) = (picture.width as usize, picture.height as usize);
    let bytes = picture.channels.bytes();
    // For each pixel of the result, the one that it comes from.
    let from: fn(usize, usize, usize, usize) -> (usize, usize) = match orientation {
        Some(3) => |x, y, width, height| (width - 1 - x, height - 1 - y),
        Some(6) => |x, y, _, height| (y, height - 1 - x),
        Some(8) => |x, y, width, _| (width - 1 - y, x),
        _ => return picture,
    };
    let (wide, high) = if orientation == Some(3) { (width, height) } else { (height, width) };
    let mut pixels = Vec::with_capacity(picture.pixels.len());
    for y in 0..high {
        for x in 0..wide {
            let (from_x, from_y) = from(x, y, width, height);
            let at = (from_y * width + from_x) * bytes;
            pixels.extend_from_slice(picture.pixels.get(at..at + bytes).unwrap_or_default());
        }
    }
    Picture { width: wide as u32, height: high as u32, pixels, ..picture }
}

fn unknown() -> Error {
    Error::new(Kind::NotSupported, "TIFF image has colours that cannot be read")
        .hint("Save it in grey, or in red, green and blue.")
}

fn failed(error: TiffError) -> Error {
    match error {
        TiffError::LimitsExceeded => {
            Error::new(Kind::InputTooLong, "TIFF image takes too much memory").hint("Save it at a lower resolution.")
        }
        TiffError::UnsupportedError(what) => {
            Error::new(Kind::NotSupported, "TIFF image cannot be read").detail(what.to_string())
        }
        error => damaged("TIFF image", &error),
    }
}
