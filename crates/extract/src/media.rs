//! The formats that are known, and how they are told apart by their bytes.

mod binary;
mod code;
mod container;
mod shape;
#[cfg(test)]
mod tests;

use crate::cms;
use crate::text::{decode, is_text, is_unicode};
pub(crate) use shape::{cells, delimiter, root};
use socle_core::{Error, Kind, Result};

/// Bytes of a text that are looked at.
const SAMPLE: usize = 1 << 16;
/// Where the head of a PDF begins at the latest.
const PDF_HEAD: usize = 1024;

/// A format.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Media {
    /// Text without markup.
    Plain,
    /// Markdown.
    Markdown,
    /// HTML and XHTML.
    Html,
    /// Code and configuration in a language, in which every space counts.
    Code(&'static str),
    /// Rows of cells.
    Csv,
    /// PDF.
    Pdf,
    /// Word.
    Docx,
    /// PowerPoint.
    Pptx,
    /// Excel.
    Xlsx,
    /// Excel, as its binary variant.
    Xlsb,
    /// Excel before 2007.
    Xls,
    /// Texts of LibreOffice.
    Odt,
    /// Presentations of LibreOffice.
    Odp,
    /// Spreadsheets of LibreOffice.
    Ods,
    /// Rich Text Format.
    Rtf,
    /// Electronic books.
    Epub,
    /// Electronic books in XML (FictionBook).
    Book,
    /// Mail as it is sent.
    Mail,
    /// Mail as Outlook stores it.
    Msg,
    /// A file in a signed envelope.
    Signed,
}

impl Media {
    /// Finds out what the bytes are. Content decides; the hints count where it leaves a choice.
    ///
    /// # Errors
    /// [`NotSupported`](socle_core::Kind::NotSupported) if it is none of the known formats.
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
            // Split archives, and some writers, begin so.
            [b'P', b'K', 7 | b'0', 8 | b'0', b'P', b'K', ..] => return container::zip(bytes, &name),
            [0xd0, 0xcf, 0x11, 0xe0, 0xa1, 0xb1, 0x1a, 0xe1, ..] => return container::compound(bytes),
            _ => {}
        }
        if cms::is_envelope(bytes) {
            return Ok(Self::Signed);
        }
        if let Some(what) = binary::recognise(bytes) {
            return Err(binary::refuse(what));
        }
        let sample = bytes.get(..SAMPLE).unwrap_or(bytes);
        // Sound may look like Latin letters; who says that it is sound is right, unless it can only be text.
        if let Some(what) = binary::stated(media_type.unwrap_or_default(), &name).filter(|_| !is_unicode(sample)) {
            return Err(binary::refuse(what));
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
        if start.starts_with("{\\rtf") {
            return Self::Rtf;
        }
        if let Some(code @ Self::Code(language)) = hint
            && shape::html(text) != Some(true)
            // What is no JSON for certain is text.
            && (language != "json" || start.starts_with(['{', '[', '/']))
        {
            return code;
        }
        if shape::is_mail(text, hint == Some(Self::Mail)) {
            return Self::Mail;
        }
        match (shape::html(text), hint) {
            (Some(true), _) => Self::Html,
            (Some(false), None | Some(Self::Html | Self::Mail)) => Self::Html,
            (_, Some(hint @ (Self::Html | Self::Csv | Self::Markdown | Self::Plain))) => hint,
            _ if start.starts_with("#!") => code::script(start).map_or(Self::Plain, Self::Code),
            // JSON on each line has as many commas in each.
            _ if !start.starts_with(['{', '['])
                && !start.starts_with("<?xml")
                && shape::delimiter(text, is_whole).is_some() =>
            {
                Self::Csv
            }
            _ => Self::Plain,
        }
    }

    /// The format of text that a media type or, without one that says something, a file name hints at. Senders call many
    /// a file `text/plain`, so its name may know more.
    fn hinted(media_type: &str, name: &str) -> Option<Self> {
        let essence = media_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        let stated = match essence.as_str() {
            "text/html" | "application/xhtml+xml" => Some(Self::Html),
            "text/csv" | "text/tab-separated-values" | "application/csv" => Some(Self::Csv),
            "text/markdown" | "text/x-markdown" => Some(Self::Markdown),
            "message/rfc822" => Some(Self::Mail),
            _ => code::stated(&essence).map(Self::Code),
        };
        let named = name.rsplit_once('.').and_then(|(_, ending)| match ending {
            "html" | "htm" | "xhtml" | "xht" => Some(Self::Html),
            "csv" | "tsv" | "tab" => Some(Self::Csv),
            "md" | "markdown" | "mdown" | "mkd" => Some(Self::Markdown),
            "eml" | "mht" | "mhtml" => Some(Self::Mail),
            "txt" | "text" | "xml" => Some(Self::Plain),
            _ => None,
        });
        let named = named.or_else(|| code::named(name).map(Self::Code));
        stated.or(named).or((essence == "text/plain").then_some(Self::Plain))
    }

    /// Its media type (IANA).
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
            Self::Book => "application/x-fictionbook+xml",
            Self::Mail => "message/rfc822",
            Self::Msg => "application/vnd.ms-outlook",
            Self::Signed => "application/pkcs7-mime",
        }
    }
}

/// A PDF may have something before its head; a text about PDF may have the head in it, but not with a line break after
/// it and objects below.
fn is_pdf(bytes: &[u8]) -> bool {
    let head = bytes.get(..PDF_HEAD).unwrap_or(bytes);
    let Some(start) = head.windows(5).position(|five| five == b"%PDF-") else { return false };
    let body = bytes.get(start + 5..).unwrap_or_default();
    let has_version = matches!(body, [b'0'..=b'9', b'.', b'0'..=b'9', b'\r' | b'\n' | b' ' | b'\t', ..]);
    // "1 0 obj" begins an object, "endobj" ends it.
    let begins = |window: &[u8]| matches!(window, [b'0'..=b'9', b' ', b'0'..=b'9', b' ', b'o', b'b', b'j']);
    start == 0 || has_version && body.windows(7).any(begins) && body.windows(6).any(|six| six == b"endobj")
}

fn unknown() -> Error {
    Error::new(Kind::NotSupported, "format of the document is not known")
}
