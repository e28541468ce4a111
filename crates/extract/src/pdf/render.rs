//! Renders pages to pictures, for their text to be recognised.

use hayro::hayro_interpret::{InterpreterSettings, InterpreterWarning};
use hayro::vello_cpu::color::palette::css::WHITE;
use hayro::{PixmapSettings, RenderCache, RenderSettings, render};
use hayro_syntax::page::Page;
use socle_core::{Error, Kind, Result};
use socle_ocr::{Channels, Picture};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;

/// Resolution in pixels an inch: letters of 10 points are then 28 pixels high, and a page of A4 has 4 million pixels.
const DPI: f32 = 200.0;
/// Most pixels of a picture; larger pages, as posters and plans, are rendered at a lower resolution. While a page is
/// rendered, each pixel takes some 12 bytes.
const MAX_PIXELS: f32 = 24e6;
/// Longest side in pixels.
const MAX_SIDE: f32 = 20_000.0;
/// Shortest side in pixels.
const MIN_SIDE: f32 = 8.0;

/// Pixels of a point of a page; `None` if it is too small to show anything.
pub(super) fn scale(page: &Page<'_>) -> Option<f32> {
    let (width, height) = page.render_dimensions();
    let (long, area) = (width.max(height).max(1.0), (width * height).max(1.0));
    let scale = (DPI / 72.0).min(MAX_SIDE / long).min((MAX_PIXELS / area).sqrt());
    (scale.is_finite() && width.min(height) * scale >= MIN_SIDE).then_some(scale)
}

/// What stands for a page that cannot be rendered.
pub(super) fn blank() -> Picture {
    const SIDE: u32 = 64;
    let pixels = vec![255; (SIDE * SIDE) as usize];
    Picture { width: SIDE, height: SIDE, channels: Channels::Grey, pixels, dpi: Some(DPI) }
}

/// The picture of a page as it is displayed, and whether all pictures on it could be decoded. Nothing is kept from page to
/// page: the pictures of a long scan would fill the memory.
///
/// # Errors
/// [`Kind::NotSupported`] for a page too small to show anything.
pub(super) fn picture<'a>(page: &'a Page<'a>) -> Result<(Picture, bool)> {
    let too_small = || Error::new(Kind::NotSupported, "a page is too small to be recognized");
    let scale = scale(page).ok_or_else(too_small)?;
    let settings = PixmapSettings { x_scale: scale, y_scale: scale, bg_color: WHITE };
    let is_whole = Arc::new(AtomicBool::new(true));
    let told = is_whole.clone();
    let warning_sink = move |warning| {
        if matches!(warning, InterpreterWarning::ImageDecodeFailure) {
            told.store(false, Relaxed);
        }
    };
    let interpreter = InterpreterSettings { warning_sink: Arc::new(warning_sink), ..InterpreterSettings::default() };
    let pixmap = render(page, &RenderCache::new(), &interpreter, &RenderSettings::default(), &settings);
    let (width, height) = (u32::from(pixmap.width()), u32::from(pixmap.height()));
    let bytes = pixmap.data_as_u8_slice();
    // Most pages are black and white or grey: a third of the bytes is enough then.
    let is_grey =
        bytes.chunks_exact(4).all(|pixel| matches!(pixel, [red, green, blue, _] if red == green && green == blue));
    let channels = if is_grey { Channels::Grey } else { Channels::Rgb };
    let pixels = bytes.chunks_exact(4).flat_map(|pixel| pixel.iter().copied().take(channels.bytes())).collect();
    Ok((Picture { width, height, channels, pixels, dpi: Some(72.0 * scale) }, is_whole.load(Relaxed)))
}
