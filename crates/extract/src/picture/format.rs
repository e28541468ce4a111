//! The formats of pictures that are read, told by their first bytes.

use super::netpbm::is_netpbm;

/// A format.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[allow(missing_docs, reason = "they are named as everybody names them")]
pub enum Format {
    Bmp,
    Gif,
    Jpeg,
    Jpeg2000,
    Netpbm,
    Png,
    Tiff,
    WebP,
}

impl Format {
    /// The format of `bytes`, if they are a picture.
    pub fn of(bytes: &[u8]) -> Option<Self> {
        match bytes {
            [0x89, b'P', b'N', b'G', b'\r', b'\n', ..] => Some(Self::Png),
            [0xff, 0xd8, 0xff, ..] => Some(Self::Jpeg),
            // With its container, and without.
            [0, 0, 0, 0x0c, b'j', b'P', b' ', b' ', b'\r', b'\n', ..] | [0xff, 0x4f, 0xff, 0x51, ..] => {
                Some(Self::Jpeg2000)
            }
            [b'G', b'I', b'F', b'8', b'7' | b'9', b'a', ..] => Some(Self::Gif),
            [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', b'V', b'P', b'8', ..] => Some(Self::WebP),
            [b'I', b'I', b'*' | b'+', 0, ..] | [b'M', b'M', 0, b'*' | b'+', ..] => Some(Self::Tiff),
            // "BM" alone may start a text.
            [b'B', b'M', _, _, _, _, 0, 0, 0, 0, ..] if bytes.len() > 26 => Some(Self::Bmp),
            _ => is_netpbm(bytes).then_some(Self::Netpbm),
        }
    }

    /// What messages call such a file.
    pub fn name(self) -> &'static str {
        match self {
            Self::Bmp => "BMP image",
            Self::Gif => "GIF image",
            Self::Jpeg => "JPEG image",
            Self::Jpeg2000 => "JPEG 2000 image",
            Self::Netpbm => "Netpbm image",
            Self::Png => "PNG image",
            Self::Tiff => "TIFF image",
            Self::WebP => "WebP image",
        }
    }

    /// The IANA media type.
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Bmp => "image/bmp",
            Self::Gif => "image/gif",
            Self::Jpeg => "image/jpeg",
            Self::Jpeg2000 => "image/jp2",
            Self::Netpbm => "image/x-portable-anymap",
            Self::Png => "image/png",
            Self::Tiff => "image/tiff",
            Self::WebP => "image/webp",
        }
    }
}

/// Whether bytes that are in none of the formats are a drawing (SVG, PostScript, PDF, metafiles of Windows and of the Mac, or
/// one of them compressed), or so few that no text is in them. Others are a damaged picture, or one of another format.
pub(super) fn is_drawing(bytes: &[u8]) -> bool {
    /// The shortest picture with text.
    const LEAST: usize = 64;
    let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes).trim_ascii_start();
    bytes.len() < LEAST
        || text.starts_with(b"<")
        || text.starts_with(b"%")
        || matches!(
            bytes,
            // EMF, WMF with its head and without, EPS with a preview, gzip, StarView, UTF-16, PICT.
            [1, 0, 0, 0, ..]
                | [0xd7, 0xcd, 0xc6, 0x9a, ..]
                | [1 | 2, 0, 9, 0, ..]
                | [0xc5, 0xd0, 0xd3, 0xc6, ..]
                | [0x1f, 0x8b, ..]
                | [b'V', b'C', b'L', b'M', b'T', b'F', ..]
                | [0xff, 0xfe, b'<', ..]
                | [0xfe, 0xff, _, b'<', ..]
                | [0, 0, 0, 0, ..]
        )
}
