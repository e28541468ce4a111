//! From files to structured text: bytes come in, a [`Document`] goes out. Pure logic: no files, no network, no threads.
//!
//! The parsers of other people behind this may panic, loop, or ask for all memory, since nobody controls what is in a
//! document. Whoever calls [`extract`] on bytes of unknown origin does so in a process that may die.

mod archive;
mod chart;
mod csv;
mod docx;
mod epub;
mod flow;
mod html;
mod label;
mod mail;
mod media;
mod msg;
mod ooxml;
mod opendocument;
mod pdf;
mod pptx;
mod rtf;
mod sheet;
mod text;
mod write;
mod xml;

use media::Media;
use socle_core::Result;
use socle_core::document::Document;
use write::Writer;

/// How much a document may become.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Most bytes of markdown.
    pub output: usize,
    /// Most bytes that are unpacked from archives, all together.
    pub unpacked: usize,
    /// Deepest nesting of documents in documents, e.g. of mails attached to mails.
    pub depth: usize,
}

/// Turns a file into text.
///
/// `media_type` and `name` are hints that count where the content leaves a choice, as between HTML, CSV and plain text.
///
/// # Errors
/// [`NotSupported`](socle_core::Kind::NotSupported) for formats that are not known, for encrypted documents and for
/// pages that are images; [`DamagedDocument`](socle_core::Kind::DamagedDocument) for bytes that are not what their format
/// demands; [`InputTooLong`](socle_core::Kind::InputTooLong) beyond the limits.
pub fn extract(bytes: &[u8], media_type: Option<&str>, name: Option<&str>, limits: Limits) -> Result<Document> {
    let media = Media::detect(bytes, media_type, name)?;
    let mut writer = Writer::new(media, limits);
    read(media, bytes, &mut writer)?;
    Ok(writer.finish())
}

/// Writes a document, or one that lies in another.
fn read(media: Media, bytes: &[u8], writer: &mut Writer) -> Result<()> {
    match media {
        Media::Plain | Media::Markdown => text::read(media, bytes, writer),
        Media::Html => html::read(bytes, writer),
        Media::Csv => csv::read(bytes, writer),
        Media::Pdf => pdf::read(bytes, writer),
        Media::Docx => docx::read(bytes, writer),
        Media::Pptx => pptx::read(bytes, writer),
        Media::Odt | Media::Odp => opendocument::read(bytes, writer),
        Media::Xlsx | Media::Xls | Media::Ods => sheet::read(bytes, media, writer),
        Media::Rtf => rtf::read(bytes, writer),
        Media::Epub => epub::read(bytes, writer),
        Media::Mail => mail::read(bytes, writer),
        Media::Msg => msg::read(bytes, writer),
    }
}
