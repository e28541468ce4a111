//! Pictures: files of their own, and those inside of documents. They are decoded here, within limits, and recognised by the
//! [`Ocr`](crate::recognition::Ocr) of the document; without one, a picture cannot be read.

mod crop;
mod decode;
mod format;
pub(crate) mod jpeg;
mod netpbm;
mod orientation;
mod size;
#[cfg(test)]
mod tests;
mod tiff;

pub(crate) use crop::Crop;
pub use format::Format;

use crate::Writer;
use crate::pdf::{Recognition, write_pictures};
use crate::recognition::HINT;
use crate::writer::MovedText;
use socle_core::{Error, Kind, Result};
use socle_ocr::Picture;
use std::collections::HashSet;
use std::ops::Range;

/// Maximum number of pictures of a document, or of a slide or chapter, that are recognised.
const MAX_PICTURES: usize = 500;
/// Characters for each picture of a page, slide or document without pages below which the pictures hold the text.
const LITTLE_TEXT: usize = 100;
/// The same for pictures as large as the scan of a page: the text may be a letter to them.
const MORE_TEXT: usize = 1000;

/// Reads a file of one or more pictures and writes it as Markdown.
///
/// # Errors
/// As [`crate::extract`].
pub fn read(bytes: &[u8], format: Format, writer: &mut Writer) -> Result<()> {
    if !writer.ocr().is_on() {
        return Err(Error::new(Kind::NotSupported, format!("{} cannot be read", format.name())).hint(HINT));
    }
    let pictures = if format == Format::Tiff {
        counted(tiff::recognize(bytes, writer), writer)?
    } else {
        let picture = counted(decode::picture(bytes, format), writer)?;
        if writer.is_embedded() && !writer.ocr().is_large_enough(picture.width, picture.height) {
            return Err(Error::new(Kind::NotSupported, format!("{} is too small for text", format.name())));
        }
        one(picture, writer)?
    };
    if pictures.len() > 1 {
        writer.metadata().page_count = u32::try_from(pictures.len()).ok();
    }
    writer.picture();
    write_pictures(&pictures, writer)
}

/// Counts a picture inside of another document if it cannot be read.
fn counted<T>(picture: Result<T>, writer: &mut Writer) -> Result<T> {
    if picture.is_err() && writer.is_embedded() {
        writer.unread_picture();
    }
    picture
}

fn one(picture: Picture, writer: &mut Writer) -> Result<Vec<Recognition>> {
    let (mut picture, mut recognitions) = (Some(picture), Vec::new());
    let mut only = |_| picture.take().ok_or_else(|| Error::new(Kind::Bug, "a picture was read twice"));
    writer.ocr().recognize(1, &mut only, &mut |read| recognitions.push(Recognition::of(read)))?;
    Ok(recognitions)
}

/// A picture that a document refers to.
#[derive(Debug)]
pub(crate) struct PictureReference {
    /// The page or slide that it is on.
    pub(crate) page: Option<u32>,
    /// What refers to it: the name of a part, or all of its bytes (`data:`).
    pub(crate) reference: String,
    /// What is cut off it there.
    pub(crate) crop: Crop,
    /// The length of the text before it.
    pub(crate) at: usize,
    /// The heading of its page, if that has none because it has no other text.
    pub(crate) title: Option<String>,
}

/// Returns the bytes of a reference to a picture, if there are any.
pub(crate) type LoadPicture<'a> = &'a mut dyn FnMut(&str, &mut Writer) -> Result<Option<Vec<u8>>>;

/// Writes the text of the pictures that the writer has noted since the last call, each where the picture stands. `within` is
/// the text that they may be missing from: of a document, a slide or a chapter, up to the end of what was written or before.
/// `load` returns the bytes of a reference; what is no picture that can be read is left out. Returns the references whose
/// text was written.
///
/// # Errors
/// Those of the recognizer and of [`crate::extract`].
pub(crate) fn write_referenced(
    within: Range<usize>,
    writer: &mut Writer,
    load: LoadPicture<'_>,
) -> Result<Vec<String>> {
    let references = writer.take_pictures();
    let (mut seen, mut written): (HashSet<(&str, Crop)>, Vec<String>) = (HashSet::new(), Vec::new());
    let (mut moved, end) = (Vec::new(), writer.length());
    for pictures in references.chunk_by(|a, b| a.page == b.page) {
        let Some(page) = pictures.first().map(|picture| picture.page).filter(|_| writer.ocr().is_on()) else {
            return Ok(written);
        };
        let text = writer.text_on(page, &within);
        let only_pages = !writer.ocr().is_always() && text >= LITTLE_TEXT * pictures.len();
        if only_pages && text >= MORE_TEXT * pictures.len() {
            continue;
        }
        let mut title = pictures.iter().find_map(|picture| picture.title.as_deref());
        for picture in pictures {
            let PictureReference { reference, crop, at, .. } = picture;
            if seen.contains(&(reference.as_str(), *crop)) {
                continue;
            }
            if seen.len() == MAX_PICTURES {
                if !only_pages {
                    writer.unread_picture();
                }
                continue;
            }
            seen.insert((reference.as_str(), *crop));
            let Some(shown) = shown(picture, only_pages, writer, load)? else { continue };
            let pictures = one(shown, writer)?;
            if pictures.iter().any(Recognition::is_unreadable) {
                writer.unread_picture();
            }
            if pictures.iter().any(Recognition::has_words)
                && let Some(title) = title.take()
            {
                let text = writer.page_title(page, title)?;
                moved.push(MovedText { at: *at, page, text });
            }
            let text = writer.picture_text(page, (*at, end), |writer| write_pictures(&pictures, writer))?;
            if !text.is_empty() {
                written.push(reference.clone());
                moved.push(MovedText { at: *at, page, text });
            }
        }
        writer.recognized_page(page, text);
    }
    writer.move_texts(within.start, end, &moved);
    Ok(written)
}

/// What is shown of a picture that is to be recognised; `None` of one that is not, or of which nothing can be read, which is
/// counted.
fn shown(
    PictureReference { reference, crop, .. }: &PictureReference,
    only_pages: bool,
    writer: &mut Writer,
    load: LoadPicture<'_>,
) -> Result<Option<Picture>> {
    let Some(bytes) = load(reference, writer)? else { return Ok(None) };
    let format = Format::of(&bytes);
    if format.is_none() && format::is_drawing(&bytes) {
        return Ok(None);
    }
    if only_pages && !format.and_then(|format| decode::size(&bytes, format)).is_some_and(is_page) {
        return Ok(None);
    }
    let picture = match format {
        None | Some(Format::Tiff) => None,
        Some(format) => decode::part(&bytes, format, *crop).ok(),
    };
    if picture.is_none() {
        writer.unread_picture();
    }
    Ok(picture.flatten().filter(|shown| writer.ocr().is_large_enough(shown.width, shown.height)))
}

/// Whether a picture of this size may be the scan of a page: upright, as high as paper is, with at least 90 dots an inch of A4.
fn is_page((width, height): (u32, u32)) -> bool {
    const LEAST_SIDE: u32 = 750;
    let ratio = f64::from(height) / f64::from(width.max(1));
    width >= LEAST_SIDE && (1.2..1.75).contains(&ratio)
}

/// A picture that a document contains as Base64 (`data:image/png;base64,…`), in small letters or capitals.
pub(crate) fn of_data_url(url: &str) -> Option<Vec<u8>> {
    let (head, data) = url.split_once(',')?;
    let (scheme, head) = head.split_once(':')?;
    if !scheme.trim_ascii_start().eq_ignore_ascii_case("data") {
        return None;
    }
    let head = head.trim_ascii().to_ascii_lowercase();
    (head.starts_with("image/") && head.ends_with(";base64")).then(|| crate::base64::decode(data.as_bytes()))
}
