//! Decodes a picture to pixels. The size is checked before memory is allocated for it.

use super::jpeg::is_whole;
use super::tiff::of_cmyk;
use super::{Crop, Format, orientation, size};
use hayro_jpeg2000::{DecodeSettings, DecoderContext, Image};
use image::codecs::{
    bmp::BmpDecoder, gif::GifDecoder, jpeg::JpegDecoder, png::PngDecoder, pnm::PnmDecoder, webp::WebPDecoder,
};
use image::{DynamicImage, ImageDecoder, ImageError, Limits};
use socle_core::{Error, Kind, Result};
use socle_ocr::{Channels, MAX_PIXELS, MAX_SIDE, Picture};
use std::io::Cursor;
use zune_jpeg::zune_core::bytestream::ZCursor;
use zune_jpeg::zune_core::options::DecoderOptions;

/// Memory in bytes that a decoder may take beside the pixels.
const MAX_DECODER_BYTES: u64 = 512 << 20;

/// A picture as it is stored, and how it is to be turned and mirrored.
type Stored = (Picture, Option<u16>);

/// Decodes a picture that is no TIFF; of an animation, the first picture.
///
/// # Errors
/// [`Kind::DamagedDocument`]; [`Kind::InputTooLong`] beyond the limits of [`Picture`].
pub(super) fn picture(bytes: &[u8], format: Format) -> Result<Picture> {
    stored(bytes, format).map(|(picture, orientation)| orientation::upright(picture, orientation))
}

/// As [`picture`], of which the document shows a part; `None` if it shows nothing. Office programs cut off pixels as they are
/// stored, and turn the picture then.
///
/// # Errors
/// As [`picture`].
pub(super) fn part(bytes: &[u8], format: Format, crop: Crop) -> Result<Option<Picture>> {
    let (picture, orientation) = stored(bytes, format)?;
    Ok(crop.shown(picture, bytes, format).map(|shown| orientation::upright(shown, orientation)))
}

/// Width and height as the file states them.
pub(super) fn size(bytes: &[u8], format: Format) -> Option<(u32, u32)> {
    let of_jpeg = || JpegDecoder::new(Cursor::new(bytes)).ok().map(|decoder| decoder.dimensions());
    size::stated(bytes, format).or_else(|| if format == Format::Jpeg { of_jpeg() } else { None })
}

fn stored(bytes: &[u8], format: Format) -> Result<Stored> {
    // Some decoders call a size that they cannot take damage.
    if let Some((width, height)) = size::stated(bytes, format) {
        check(width, height)?;
    }
    let from = Cursor::new(bytes);
    match format {
        Format::Bmp => decoded(BmpDecoder::new(from), format),
        Format::Gif => decoded(GifDecoder::new(from), format),
        // The decoder fills up what is missing of a file that was cut off, and says nothing.
        Format::Jpeg if !has_jpeg_end(bytes) => Err(damaged(format.name(), &"It ends in the middle.")),
        Format::Jpeg2000 => jpeg_2000(bytes).map(|picture| (picture, None)),
        Format::Jpeg => jpeg(bytes),
        Format::Netpbm => decoded(PnmDecoder::new(from), format),
        Format::Png => decoded(PngDecoder::with_limits(from, limits()), format),
        Format::WebP => decoded(WebPDecoder::new(from), format),
        Format::Tiff => Err(Error::new(Kind::Bug, "a TIFF has a decoder of its own")),
    }
}

/// Decodes a JPEG. Where data are missing or damaged, the decoder mostly fills the rest with grey or with what came last, and
/// says nothing: such a picture is refused. One that is read to its end is not, whatever else is wrong with it, as much
/// software writes such files.
fn jpeg(bytes: &[u8]) -> Result<Stored> {
    if !is_whole(bytes, None) {
        return Err(damaged(Format::Jpeg.name(), &"Rows of it are missing, or it has more data than rows."));
    }
    let (picture, orientation) = decoded(JpegDecoder::new(Cursor::new(bytes)), Format::Jpeg)?;
    if is_filled_up(&picture) {
        let options = DecoderOptions::default().set_strict_mode(true);
        let options = options.set_max_width(MAX_SIDE as usize).set_max_height(MAX_SIDE as usize);
        let strict = zune_jpeg::JpegDecoder::new_with_options(ZCursor::new(bytes), options).decode();
        strict.map_err(|error| damaged(Format::Jpeg.name(), &error))?;
    }
    Ok((picture, orientation))
}

/// Whether a sixteenth of a picture, along one of its edges, is the grey that the decoder fills up with.
fn is_filled_up(picture: &Picture) -> bool {
    const FILLING: u8 = 128;
    let (width, height) = (picture.width as usize, picture.height as usize);
    let row = width * picture.channels.bytes();
    let (high, wide) = (height.div_ceil(16), width.div_ceil(16) * picture.channels.bytes());
    let bands =
        [(0..high, 0..row), (height - high..height, 0..row), (0..height, 0..wide), (0..height, row - wide..row)];
    bands.into_iter().any(|(rows, columns)| {
        let mut parts = rows.map(|at| picture.pixels.get(at * row..).and_then(|rest| rest.get(columns.clone())));
        let first = parts.clone().next().flatten().and_then(<[u8]>::first).copied();
        first == Some(FILLING) && parts.all(|part| part.is_some_and(|part| part.iter().all(|byte| *byte == FILLING)))
    })
}

/// Decodes a JPEG 2000, of which colour profiles are ignored: recognition needs no true colours.
fn jpeg_2000(bytes: &[u8]) -> Result<Picture> {
    let failed = |error| damaged(Format::Jpeg2000.name(), &error);
    let settings = DecodeSettings { strict: true, ..DecodeSettings::default() };
    let image = Image::new(bytes, &settings).map_err(failed)?;
    let (width, height) = (image.width(), image.height());
    check(width, height)?;
    let mut context = DecoderContext::default();
    let decoded = image.decode(&mut context).map_err(failed)?;
    let samples = width as usize * height as usize;
    if decoded.components().is_empty() || decoded.components().iter().any(|one| one.samples().len() != samples) {
        return Err(damaged(Format::Jpeg2000.name(), &"Its components differ in size."));
    }
    let (count, bytes) = (decoded.components().len(), decoded.data_u8());
    let (channels, pixels) = match (count, image.has_alpha()) {
        (1, _) => (Channels::Grey, bytes),
        (2, true) => (Channels::Grey, on_ground::<2>(&bytes)),
        (3, false) => (Channels::Rgb, bytes),
        (4, true) => (Channels::Rgb, on_ground::<4>(&bytes)),
        (4, false) => (Channels::Rgb, bytes.chunks_exact(4).flat_map(of_cmyk).collect()),
        _ => {
            return Err(Error::new(Kind::NotSupported, "JPEG 2000 image has colours that cannot be read")
                .hint("Save it in grey, or in red, green and blue."));
        }
    };
    Ok(Picture { width, height, channels, pixels, dpi: None })
}

/// Whether the last scan of a JPEG is followed by the marker of its end. Neither marker can stand within a scan; a small
/// picture in the metadata has both before.
fn has_jpeg_end(bytes: &[u8]) -> bool {
    let last = |marker: u8| bytes.windows(2).rposition(|pair| pair == [0xff, marker]);
    last(0xd9) > last(0xda)
}

fn limits() -> Limits {
    let mut limits = Limits::no_limits();
    limits.max_alloc = Some(MAX_DECODER_BYTES);
    limits
}

fn decoded<D: ImageDecoder>(decoder: std::result::Result<D, ImageError>, format: Format) -> Result<Stored> {
    let failed = |error: ImageError| match error {
        ImageError::Limits(_) => takes_too_much_memory(format.name()),
        error => damaged(format.name(), &error),
    };
    let mut decoder = decoder.map_err(failed)?;
    let (width, height) = decoder.dimensions();
    check(width, height)?;
    decoder.set_limits(limits()).map_err(failed)?;
    let orientation = decoder.orientation().ok().map(|orientation| orientation.to_exif().into());
    let image = DynamicImage::from_decoder(decoder).map_err(failed)?;
    Ok((of_image(image), orientation))
}

/// Refuses a picture that is larger than one may be.
///
/// # Errors
/// [`Kind::InputTooLong`].
pub(super) fn check(width: u32, height: u32) -> Result<()> {
    let pixels = u64::from(width) * u64::from(height);
    if width == 0 || height == 0 {
        return Err(damaged("picture", &"It has no pixels."));
    }
    if width > MAX_SIDE || height > MAX_SIDE || pixels > MAX_PIXELS {
        let most = MAX_PIXELS / 1_000_000;
        return Err(Error::new(Kind::InputTooLong, format!("picture has {width} × {height} pixels"))
            .detail(format!("At most {most} million pixels, and {MAX_SIDE} on a side, are read."))
            .hint("Save it at a lower resolution."));
    }
    Ok(())
}

/// The error for a file that takes more memory than a decoder may have.
pub(super) fn takes_too_much_memory(what: &str) -> Error {
    Error::new(Kind::InputTooLong, format!("{what} takes too much memory")).hint("Save it at a lower resolution.")
}

/// The error for a file that its decoder cannot read.
pub(super) fn damaged(what: &str, error: &dyn std::fmt::Display) -> Error {
    Error::new(Kind::DamagedDocument, format!("{what} is damaged"))
        .detail(error.to_string())
        .hint("Save it again with a program that can open it, or scan it again.")
}

/// The pixels of an image; see [`on_ground`].
fn of_image(image: DynamicImage) -> Picture {
    let (width, height) = (image.width(), image.height());
    let is_grey = !image.color().has_color();
    let (channels, pixels) = match (is_grey, image.color().has_alpha()) {
        (true, false) => (Channels::Grey, image.into_luma8().into_raw()),
        (false, false) => (Channels::Rgb, image.into_rgb8().into_raw()),
        (true, true) => (Channels::Grey, on_ground::<2>(image.into_luma_alpha8().as_raw())),
        (false, true) => (Channels::Rgb, on_ground::<4>(image.into_rgba8().as_raw())),
    };
    Picture { width, height, channels, pixels, dpi: None }
}

/// Pixels of `N` bytes, of which the last is the opacity, without it: laid on white, or on black if they are light.
pub(super) fn on_ground<const N: usize>(pixels: &[u8]) -> Vec<u8> {
    let ground = ground::<N>(pixels);
    let mut opaque = Vec::with_capacity(pixels.len() / N * (N - 1));
    for pixel in pixels.chunks_exact(N) {
        let Some((opacity, colours)) = pixel.split_last() else { continue };
        let opacity = u32::from(*opacity);
        let laid = |colour: &u8| ((u32::from(*colour) * opacity + ground * (255 - opacity)) / 255) as u8;
        opaque.extend(colours.iter().map(laid));
    }
    opaque
}

/// The ground that shows what is not transparent: light writing is made for a dark one.
fn ground<const N: usize>(pixels: &[u8]) -> u32 {
    /// Mean brightness from which a picture is light.
    const LIGHT: u64 = 176;
    const WHITE: u32 = 255;
    const BLACK: u32 = 0;
    let (mut opacity, mut light, mut all) = (0, 0, 0);
    for pixel in pixels.chunks_exact(N) {
        let brightness = match pixel {
            [red, green, blue, _] => (3 * u64::from(*red) + 6 * u64::from(*green) + u64::from(*blue)) / 10,
            [grey, ..] => u64::from(*grey),
            [] => 0,
        };
        let own = pixel.last().map_or(0, |opacity| u64::from(*opacity));
        (opacity, light, all) = (opacity + own, light + own * brightness, all + 255);
    }
    // Where next to nothing is transparent, the picture brings its ground.
    if opacity * 10 < all * 9 && light > LIGHT * opacity { BLACK } else { WHITE }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_transparent_is_laid_on_a_ground_that_shows_it() {
        assert_eq!(on_ground::<4>(&[10, 20, 30, 255, 10, 20, 30, 0]), [10, 20, 30, 255, 255, 255]);
        assert_eq!(on_ground::<2>(&[0, 128]), [127]);
        // Light writing, of which some is half transparent, and light paper with a corner that is.
        assert_eq!(on_ground::<2>(&[255, 255, 255, 0, 255, 128]), [255, 0, 128]);
        assert_eq!(on_ground::<4>(&[255, 255, 0, 255, 0, 0, 0, 0]), [255, 255, 0, 0, 0, 0]);
        assert_eq!(on_ground::<2>(&[[240, 255].repeat(10), vec![0, 0]].concat())[10], 255);
    }

    #[test]
    fn pictures_that_are_too_large_are_refused_before_they_are_decoded() {
        // The head of a PNG of 65,000 pixels by 65,000.
        let mut head = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR".to_vec();
        head.extend(65_000_u32.to_be_bytes());
        head.extend(65_000_u32.to_be_bytes());
        head.extend([8, 2, 0, 0, 0]);
        head.extend([0; 4]);
        assert_eq!(picture(&head, Format::Png).unwrap_err().kind, Kind::InputTooLong);
        for (width, height) in [(65_000, 100), (100, 65_000), (20_000, 20_000)] {
            assert_eq!(check(width, height).unwrap_err().kind, Kind::InputTooLong);
        }
    }
}
