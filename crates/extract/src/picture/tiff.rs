//! TIFF, whose pages are pictures of their own: fax, JPEG, LZW, Deflate and PackBits.

mod fax;
mod palette;
mod view;

use super::decode::{check, damaged, on_ground, takes_too_much_memory};
use super::orientation::upright;
use crate::Writer;
use crate::pdf::Recognition;
use palette::Palette;
use socle_core::{Error, Kind, Result};
use socle_ocr::{Channels, MAX_PIXELS, Picture};
use std::io::Cursor;
use tiff::decoder::{Decoder, DecodingResult, Limits};
use tiff::tags::Tag;
use tiff::{ColorType, TiffError, TiffUnsupportedError};
use view::View;

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
    let mut decoder = Decoder::new(View::new(bytes)).map_err(failed)?.with_limits(limits);
    let pages = pages(bytes)?;
    let mut recognitions = Vec::with_capacity(pages);
    let mut picture = |at: usize| {
        if at > 0 {
            decoder.inner().as_it_is();
            decoder.next_image().map_err(failed)?;
        }
        page(&mut decoder, at)
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

fn page(decoder: &mut Decoder<View<'_>>, at: usize) -> Result<Picture> {
    let (width, height) = decoder.dimensions().map_err(failed)?;
    check(width, height)?;
    let palette = Palette::of(decoder, at)?;
    let colours = decoder.colortype().map_err(failed)?;
    let dpi = dpi(decoder);
    let orientation = decoder.find_tag_unsigned::<u16>(Tag::Orientation).ok().flatten();
    let (colours, samples) = match fax::pixels(decoder, width, height)? {
        Some(pixels) => (ColorType::Gray(8), pixels),
        None => samples(decoder, colours, width as usize)?,
    };
    let (channels, pixels) = match palette {
        Some(palette) => (Channels::Rgb, palette.pixels(&samples, colours)?),
        None => pixels(samples, colours)?,
    };
    Ok(upright(Picture { width, height, channels, pixels, dpi }, orientation))
}

/// Pixels of an inch, if the file says so.
fn dpi(decoder: &mut Decoder<View<'_>>) -> Option<f32> {
    let unit = decoder.find_tag_unsigned::<u16>(Tag::ResolutionUnit).ok()?.unwrap_or(INCH);
    let resolution = decoder.find_tag(Tag::XResolution).ok()??.into_f32().ok()?;
    let dpi = match unit {
        INCH => resolution,
        CENTIMETRE => resolution * 2.54,
        _ => return None,
    };
    (dpi.is_finite() && (50.0..=2_400.0).contains(&dpi)).then_some(dpi)
}

/// One byte for each sample of a page, pixel by pixel, without those that mean nothing here.
fn samples(decoder: &mut Decoder<View<'_>>, colours: ColorType, width: usize) -> Result<(ColorType, Vec<u8>)> {
    let extra = decoder.find_tag_unsigned_vec::<u16>(Tag::ExtraSamples).ok().flatten().unwrap_or_default();
    view::turn(decoder);
    let mut read = DecodingResult::U8(Vec::new());
    let layout = decoder.read_image_to_buffer(&mut read).map_err(|error| not_read(error, decoder))?;
    if read.as_buffer(0).byte_len() < layout.complete_len {
        return Err(takes_too_much_memory("TIFF image"));
    }
    let planes = layout.planes.max(1);
    let in_row = width * usize::from(colours.num_samples()) / planes;
    let samples = match read {
        DecodingResult::U8(samples) if colours.bit_depth() < 8 => unpacked(&samples, colours.bit_depth(), in_row)?,
        DecodingResult::U8(samples) => samples,
        DecodingResult::U16(samples) => samples.into_iter().map(|sample| (sample >> 8) as u8).collect(),
        _ => return Err(unknown()),
    };
    let samples = interleaved(samples, planes);
    let ColorType::Multiband { num_samples, .. } = colours else { return Ok((colours, samples)) };
    // Grey, which others may follow.
    let has_opacity = matches!(extra.first(), Some(1 | 2));
    let (colours, kept) = if has_opacity { (ColorType::GrayA(8), 2) } else { (ColorType::Gray(8), 1) };
    let pixels = samples.chunks_exact(usize::from(num_samples).max(1));
    Ok((colours, pixels.flat_map(|pixel| pixel.iter().take(kept).copied()).collect()))
}

/// The pixels of a page, without opacity.
fn pixels(samples: Vec<u8>, colours: ColorType) -> Result<(Channels, Vec<u8>)> {
    Ok(match colours {
        ColorType::Gray(_) => (Channels::Grey, samples),
        ColorType::GrayA(_) => (Channels::Grey, on_ground::<2>(&samples)),
        ColorType::RGB(_) => (Channels::Rgb, samples),
        ColorType::YCbCr(_) => (Channels::Rgb, samples.chunks_exact(3).flat_map(of_brightness).collect()),
        ColorType::RGBA(_) => (Channels::Rgb, on_ground::<4>(&samples)),
        ColorType::CMYK(_) => (Channels::Rgb, samples.chunks_exact(4).flat_map(of_cmyk).collect()),
        _ => return Err(unknown()),
    })
}

/// Samples of 1, 2 or 4 bits, of which each row begins on a byte, as one byte each.
///
/// # Errors
/// [`Kind::NotSupported`] for other numbers of bits.
fn unpacked(packed: &[u8], bits: u8, in_row: usize) -> Result<Vec<u8>> {
    let bits = match bits {
        1 | 2 | 4 => usize::from(bits),
        _ => return Err(unknown()),
    };
    let most = (1_u32 << bits) - 1;
    let mut bytes = Vec::with_capacity(packed.len() * 8 / bits);
    for row in packed.chunks_exact((in_row * bits).div_ceil(8).max(1)) {
        bytes.extend((0..in_row).map(|at| {
            let place = at * bits;
            let byte = row.get(place / 8).copied().unwrap_or_default();
            let sample = u32::from(byte) >> (8 - bits - place % 8) & most;
            (sample * 255 / most) as u8
        }));
    }
    Ok(bytes)
}

/// The samples of each pixel one after the other, where they come plane by plane.
fn interleaved(samples: Vec<u8>, planes: usize) -> Vec<u8> {
    if planes < 2 {
        return samples;
    }
    let each = samples.len() / planes;
    let pixel = |at: usize| samples.iter().skip(at).step_by(each.max(1)).take(planes).copied();
    let mut pixels = Vec::with_capacity(samples.len());
    pixels.extend((0..each).flat_map(pixel));
    pixels
}

/// Red, green and blue of cyan, magenta, yellow and black.
pub(super) fn of_cmyk(ink: &[u8]) -> [u8; 3] {
    let of = |at: usize| 255 - u32::from(ink.get(at).copied().unwrap_or_default());
    [0, 1, 2].map(|at| (of(at) * of(3) / 255) as u8)
}

/// Red, green and blue of brightness and two differences of colour (YCbCr, ITU-R BT.601).
fn of_brightness(pixel: &[u8]) -> [u8; 3] {
    let of = |at: usize| f32::from(pixel.get(at).copied().unwrap_or_default());
    let (brightness, blue, red) = (of(0), of(1) - 128.0, of(2) - 128.0);
    let green = brightness - 0.344_136 * blue - 0.714_136 * red;
    [brightness + 1.402 * red, green, brightness + 1.772 * blue].map(|part| part.round() as u8)
}

fn unknown() -> Error {
    Error::new(Kind::NotSupported, "TIFF image has colours that cannot be read")
        .hint("Save it in grey, or in red, green and blue.")
}

fn failed(error: TiffError) -> Error {
    match error {
        TiffError::LimitsExceeded => takes_too_much_memory("TIFF image"),
        TiffError::UnsupportedError(what) => Error::new(Kind::NotSupported, "TIFF image cannot be read")
            .detail(what.to_string())
            .hint("Save it in grey, or in red, green and blue, or as PNG or PDF."),
        error => damaged("TIFF image", &error),
    }
}

/// The error for the data of a page, which may be compressed by a method that is not read.
fn not_read(error: TiffError, decoder: &mut Decoder<View<'_>>) -> Error {
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
