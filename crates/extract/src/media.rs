//! The supported formats and their detection by content.

mod container;
mod envelope;
mod signature;
mod sniff;
mod source_code;
#[cfg(test)]
mod tests;

use crate::encoding::{decode, is_text, is_unicode};
use crate::picture::Format;
use crate::rtf::is_rtf;
pub(crate) use envelope::{PKCS_7, SEQUENCE, envelope_from_base64, is_envelope};
pub(crate) use sniff::{cells, delimiter, is_mbox_separator, root};
use socle_core::{Error, Kind, Result};

/// Number of bytes of a text that are examined.
const SAMPLE: usize = 1 << 16;
/// Number of bytes within which the header of a PDF must start.
const PDF_HEAD: usize = 1024;

/// A supported format.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Media {
    /// Text without markup.
    Plain,
    /// Markdown.
    Markdown,
    /// HTML and XHTML.
    Html,
    /// Source code, configuration or logs, with the name of the language; empty if there is none.
    Code(&'static str),
    /// Delimiter-separated values.
    Csv,
    /// PDF.
    Pdf,
    /// Word.
    Docx,
    /// PowerPoint.
    Pptx,
    /// Excel.
    Xlsx,
    /// Excel, binary workbook.
    Xlsb,
    /// Excel before 2007.
    Xls,
    /// OpenDocument text.
    Odt,
    /// OpenDocument presentation.
    Odp,
    /// OpenDocument spreadsheet.
    Ods,
    /// Rich Text Format.
    Rtf,
    /// EPUB book.
    Epub,
    /// FictionBook, a book in XML.
    FictionBook,
    /// MIME message, mailbox or MHTML.
    Mail,
    /// Outlook message.
    Msg,
    /// CMS (PKCS#7) envelope.
    Signed,
    /// A picture, or several in one file.
    Picture(Format),
}

impl Media {
    /// Detects the format by content. The hints are used only where the content is ambiguous.
    ///
    /// # Errors
    /// [`NotSupported`](socle_core::Kind::NotSupported) for an unsupported format.
    /// [`DamagedDocument`](socle_core::Kind::DamagedDocument) if it is empty.
    pub fn detect(bytes: &[u8], media_type: Option<&str>, name: Option<&str>) -> Result<Self> {
        if bytes.is_empty() {
            return Err(Error::new(Kind::DamagedDocument, "document is empty"));
        }
        let name = name.unwrap_or_default().to_ascii_lowercase();
        if is_pdf(bytes) {
            return Ok(Self::Pdf);
        }
        match bytes {
            [b'P', b'K', 3, 4, ..] | [b'P', b'K', 5, 6, ..] => return container::zip(bytes, &name),
            // Split archives, and those of some writers.
            [b'P', b'K', 7 | b'0', 8 | b'0', b'P', b'K', ..] => return container::zip(bytes, &name),
            [0xd0, 0xcf, 0x11, 0xe0, 0xa1, 0xb1, 0x1a, 0xe1, ..] => return container::compound(bytes),
            _ => {}
        }
        if is_rtf(bytes) {
            return Ok(Self::Rtf);
        }
        if is_envelope(bytes) {
            return Ok(Self::Signed);
        }
        if let Some(format) = Format::of(bytes) {
            return Ok(Self::Picture(format));
        }
        if let Some(what) = signature::recognise(bytes) {
            return Err(signature::unreadable(what));
        }
        let sample = bytes.get(..SAMPLE).unwrap_or(bytes);
        // Raw audio may look like Latin letters, so the hint that it is audio is believed unless it can only be text.
        if let Some(what) = signature::stated(media_type.unwrap_or_default(), &name).filter(|_| !is_unicode(sample)) {
            return Err(signature::unreadable(what));
        }
        if !is_text(sample) {
            return Err(unknown());
        }
        let hint = Self::hinted(media_type.unwrap_or_default(), &name);
        Self::of_text(&decode(sample, None), hint, sample.len() == bytes.len())
    }

    fn of_text(text: &str, hint: Option<Self>, is_whole: bool) -> Result<Self> {
        if let Some(media) = container::flat(text) {
            return media;
        }
        Ok(Self::of_plain_text(text, hint, is_whole))
    }

    fn of_plain_text(text: &str, hint: Option<Self>, is_whole: bool) -> Self {
        let start = text.trim_start_matches(['\u{feff}', ' ', '\t', '\r', '\n']);
        // In two bytes a character, which is refused: better than its control words as text.
        if start.starts_with("{\\rtf") {
            return Self::Rtf;
        }
        if let Some(code @ Self::Code(language)) = hint
            && sniff::html(text) != Some(true)
            // Text that cannot be JSON is plain text.
            && (language != "json" || start.starts_with(['{', '[', '/']))
        {
            return code;
        }
        if sniff::is_mail(text, hint == Some(Self::Mail)) {
            return Self::Mail;
        }
        match (sniff::html(text), hint) {
            (Some(true), _) => Self::Html,
            (Some(false), None | Some(Self::Html | Self::Mail)) => Self::Html,
            (_, Some(hint @ (Self::Html | Self::Csv | Self::Markdown | Self::Plain))) => hint,
            _ if start.starts_with("#!") => source_code::script(start).map_or(Self::Plain, Self::Code),
            // JSON Lines may have the same number of commas on each line.
            _ if !start.starts_with(['{', '['])
                && !start.starts_with("<?xml")
                && sniff::delimiter(text, is_whole).is_some() =>
            {
                Self::Csv
            }
            _ => Self::Plain,
        }
    }

    /// The text format indicated by the media type or else by the file name. `text/plain` is often sent for other
    /// formats, so a file name takes precedence over it.
    fn hinted(media_type: &str, name: &str) -> Option<Self> {
        let essence = media_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        let stated = match essence.as_str() {
            "text/html" | "application/xhtml+xml" => Some(Self::Html),
            "text/csv" | "text/tab-separated-values" | "application/csv" => Some(Self::Csv),
            "text/markdown" | "text/x-markdown" => Some(Self::Markdown),
            "message/rfc822" => Some(Self::Mail),
            _ => source_code::stated(&essence).map(Self::Code),
        };
        let named = name.rsplit_once('.').and_then(|(_, ending)| match ending {
            "html" | "htm" | "xhtml" | "xht" => Some(Self::Html),
            "csv" | "tsv" | "tab" => Some(Self::Csv),
            "md" | "markdown" | "mdown" | "mkd" => Some(Self::Markdown),
            "eml" | "mht" | "mhtml" => Some(Self::Mail),
            "txt" | "text" | "xml" => Some(Self::Plain),
            _ => None,
        });
        let named = named.or_else(|| source_code::named(name).map(Self::Code));
        stated.or(named).or((essence == "text/plain").then_some(Self::Plain))
    }

    /// The IANA media type.
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Plain | Self::Code(_) => "text/plain",
            Self::Markdown => "text/markdown",
            Self::Html => "text/html",
            Self::Csv => "text/csv",
            Self::Pdf => "application/pdf",
            Self::Docx => "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
            Self::Pptx => "application/vnd.openxmlformats-officedocument.presentationml.presentation",
            Self::Xlsx => "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
            Self::Xlsb => "application/vnd.ms-excel.sheet.binary.macroenabled.12",
            Self::Xls => "application/vnd.ms-excel",
            Self::Odt => "application/vnd.oasis.opendocument.text",
            Self::Odp => "application/vnd.oasis.opendocument.presentation",
            Self::Ods => "application/vnd.oasis.opendocument.spreadsheet",
            Self::Rtf => "application/rtf",
            Self::Epub => "application/epub+zip",
            Self::FictionBook => "application/x-fictionbook+xml",
            Self::Mail => "message/rfc822",
            Self::Msg => "application/vnd.ms-outlook",
            Self::Signed => "application/pkcs7-mime",
            Self::Picture(format) => format.media_type(),
        }
    }
}

/// Whether `bytes` are a PDF. Other data may precede its header; a text that merely contains such a header has no line
/// break after it and no objects below.
fn is_pdf(bytes: &[u8]) -> bool {
    let head = bytes.get(..PDF_HEAD).unwrap_or(bytes);
    let Some(start) = head.windows(5).position(|five| five == b"%PDF-") else { return false };
    let body = bytes.get(start + 5..).unwrap_or_default();
    let has_version = matches!(body, [b'0'..=b'9', b'.', b'0'..=b'9', b'\r' | b'\n' | b' ' | b'\t', ..]);
    // "1 0 obj" starts an object, "endobj" ends it.
    let begins = |window: &[u8]| matches!(window, [b'0'..=b'9', b' ', b'0'..=b'9', b' ', b'o', b'b', b'j']);
    start == 0 || has_version && body.windows(7).any(begins) && body.windows(6).any(|six| six == b"endobj")
}

fn unknown() -> Error {
    Error::new(Kind::NotSupported, "format of the document is not known")
}
