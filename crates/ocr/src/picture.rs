//! The picture of a page, decoded.

use socle_core::{Error, Kind, Result};

/// Most pixels of a picture: a page of A3 at 600 dpi has 70 million.
pub const MAX_PIXELS: u64 = 100_000_000;

/// Longest side of a picture in pixels.
pub const MAX_SIDE: u32 = 32_767;

/// What the bytes of a picture are.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Channels {
    /// One byte a pixel: 0 is black.
    Grey,
    /// Three bytes a pixel: red, green, blue.
    Rgb,
}

impl Channels {
    /// Bytes of a pixel.
    pub fn bytes(self) -> usize {
        match self {
            Self::Grey => 1,
            Self::Rgb => 3,
        }
    }
}

/// The picture of a page. What is transparent has been laid on a ground.
#[derive(Clone, Debug, PartialEq)]
pub struct Picture {
    /// Pixels of a row.
    pub width: u32,
    /// Rows.
    pub height: u32,
    /// What the bytes are.
    pub channels: Channels,
    /// Row by row from the top, without padding.
    pub pixels: Vec<u8>,
    /// Pixels of an inch, where the file says so or the page was rendered.
    pub dpi: Option<f32>,
}

impl Picture {
    /// Checks that sides are within [`MAX_SIDE`] and [`MAX_PIXELS`], and that there are as many bytes as they say.
    ///
    /// # Errors
    /// `ExtractionFailed`.
    pub fn check(&self) -> Result<()> {
        let bytes = check_size(self.width, self.height, self.channels)?;
        if self.pixels.len() != bytes {
            return Err(Error::new(Kind::ExtractionFailed, "the picture has another size than it says").detail(
                format!("{} × {} pixels take {bytes} bytes, not {}.", self.width, self.height, self.pixels.len()),
            ));
        }
        Ok(())
    }
}

/// The bytes of a picture of this size.
///
/// # Errors
/// `ExtractionFailed` when it is empty or larger than [`MAX_SIDE`] and [`MAX_PIXELS`] allow.
pub fn check_size(width: u32, height: u32, channels: Channels) -> Result<usize> {
    let refused = |message: &str, detail: String| Err(Error::new(Kind::ExtractionFailed, message).detail(detail));
    if width == 0 || height == 0 {
        return refused("the picture is empty", format!("It has {width} × {height} pixels."));
    }
    let pixels = u64::from(width) * u64::from(height);
    if width > MAX_SIDE || height > MAX_SIDE || pixels > MAX_PIXELS {
        return refused(
            "the picture is too large",
            format!(
                "It has {width} × {height} pixels; at most {} million and {MAX_SIDE} on a side are read.",
                MAX_PIXELS / 1_000_000
            ),
        );
    }
    Ok(pixels as usize * channels.bytes())
}
