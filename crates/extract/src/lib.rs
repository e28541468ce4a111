//! Converts files to structured text: takes bytes, returns a [`Document`]. Does no file or network access and starts no
//! threads.
//!
//! Documents are untrusted input, and third-party parsers may panic, loop or exhaust memory on them. Call [`extract`]
//! on bytes of unknown origin only in a process that may be killed.

mod archive;
mod attachment;
mod base64;
mod block_builder;
mod chart;
mod cms;
mod csv;
mod docx;
mod encoding;
mod epub;
mod html;
mod limits;
mod list_label;
mod mail;
mod media;
mod msg;
mod ooxml;
mod ooxml_drawing;
mod ooxml_picture;
mod opendocument;
mod pdf;
mod picture;
mod pptx;
mod recognition;
mod rtf;
mod sheet;
mod text;
mod timestamp;
mod writer;
mod xml;

pub use limits::Limits;
use media::Media;
pub use recognition::Ocr;
use socle_core::document::Document;
use socle_core::{Error, Result};
use writer::Writer;

/// Extracts the text and the metadata of a file.
///
/// `media_type` and `name` are hints; they are used only where the content is ambiguous, as between HTML, CSV and plain
/// text.
///
/// # Errors
/// [`NotSupported`](socle_core::Kind::NotSupported) for unknown formats, for encrypted documents and for documents
/// without text other than images; [`DamagedDocument`](socle_core::Kind::DamagedDocument) for bytes that violate their
/// format; [`InputTooLong`](socle_core::Kind::InputTooLong) beyond the limits.
pub fn extract(bytes: &[u8], media_type: Option<&str>, name: Option<&str>, limits: Limits) -> Result<Document> {
    extract_with_ocr(bytes, media_type, name, limits, Ocr::off())
}

/// As [`extract`], and recognises the text of pictures.
///
/// # Errors
/// As [`extract`], and those of the recognizer.
pub fn extract_with_ocr(
    bytes: &[u8],
    media_type: Option<&str>,
    name: Option<&str>,
    limits: Limits,
    ocr: Ocr,
) -> Result<Document> {
    let document = || {
        let media = Media::detect(bytes, media_type, name)?;
        let mut writer = Writer::with_ocr(media, limits, ocr);
        read(media, bytes, &mut writer)?;
        if writer.is_only_pictures() {
            return Err(writer.no_text_but_pictures());
        }
        Ok(writer.finish())
    };
    document().map_err(without_nul)
}

/// Removes NUL characters, which PostgreSQL cannot store, from an error that quotes the document.
fn without_nul(mut error: Error) -> Error {
    for text in std::iter::once(&mut error.message).chain(&mut error.detail).chain(&mut error.hint) {
        text.retain(|c| c != '\0');
    }
    error
}

/// Writes a document, which may be embedded in another one. Readers of formats that contain documents call this
/// recursively, as far as [`Limits::depth`] allows.
fn read(media: Media, bytes: &[u8], writer: &mut Writer) -> Result<()> {
    match media {
        Media::Plain | Media::Markdown | Media::Code(_) | Media::FictionBook => text::read(media, bytes, writer),
        Media::Html => html::read(bytes, writer),
        Media::Csv => csv::read(bytes, writer),
        Media::Pdf => pdf::read(bytes, writer),
        Media::Docx => docx::read(bytes, writer),
        Media::Pptx => pptx::read(bytes, writer),
        Media::Odt | Media::Odp => opendocument::read(bytes, writer),
        Media::Ods => opendocument::sheet::read(bytes, writer),
        Media::Xlsx | Media::Xlsb | Media::Xls => sheet::read(bytes, media, writer),
        Media::Rtf => rtf::read(bytes, writer),
        Media::Epub => epub::read(bytes, writer),
        Media::Mail => mail::read(bytes, writer),
        Media::Msg => msg::read(bytes, writer),
        Media::Signed => cms::read(bytes, writer),
        Media::Picture(format) => picture::read(bytes, format, writer),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits { output: 1 << 20, unpacked: 1 << 20, depth: 4 };

    #[test]
    fn no_character_that_postgres_cannot_hold_comes_out() {
        let core = "<coreProperties><title>A\0 B</title><creator>\0</creator></coreProperties>";
        let body = "<document><body><p><r><t>te\0xt</t></r></p></body></document>";
        let docx = archive::tests::packed(&[
            ("[Content_Types].xml", b"<Types/>"),
            ("docProps/core.xml", core.as_bytes()),
            ("word/document.xml", body.as_bytes()),
        ]);
        let markdown = b"---\ntitle: A\0 B\nlang: en\n---\n# A head of some words\n\nSome text and more words\n";
        for (bytes, title) in [
            (&br"{\rtf1{\info{\title A\u0 ?B}}te\u0 ?xt}"[..], "AB"),
            (&docx, "A B"),
            (b"From: a@b.c\nSubject: =?utf-8?q?A=00B?=\nMIME-Version: 1.0\n\nte\0xt", "AB"),
            (markdown, "A B"),
        ] {
            let name = if bytes == markdown { "a.md" } else { "a" };
            let document = extract(bytes, None, Some(name), LIMITS).unwrap();
            assert_eq!(document.metadata.title.as_deref(), Some(title), "{document:?}");
            assert!(document.markdown.contains("text"), "{:?}", document.markdown);
            let all = format!("{}{:?}", document.markdown, document.metadata);
            assert!(!all.contains('\0') && !all.contains("\\0"), "{all}");
            let rows = document.rows().map(|row| row.content.len()).sum::<usize>();
            assert!(
                rows > 0 && document.blocks.iter().all(|block| document.markdown.get(block.start..block.end).is_some())
            );
        }
        let error = Error::new(socle_core::Kind::DamagedDocument, "a\0").detail("\0b").hint("c\0d");
        let error = without_nul(error);
        assert_eq!(
            (error.message.as_str(), error.detail.as_deref(), error.hint.as_deref()),
            ("a", Some("b"), Some("cd"))
        );
    }

    #[test]
    fn what_is_unpacked_is_bounded_by_the_document_and_by_the_memory() {
        assert_eq!(Limits::unpacked(1 << 30, 1000), 64 << 20);
        assert_eq!(Limits::unpacked(1 << 30, 1 << 20), 200 << 20);
        assert_eq!(Limits::unpacked(1 << 30, u64::MAX), 256 << 20);
        assert_eq!(Limits::unpacked(1 << 20, 1000), 256 << 10);
    }
}
