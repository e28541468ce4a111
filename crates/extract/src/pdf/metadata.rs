//! Document metadata, and the decoding of text strings.

use hayro_syntax::Pdf;
use hayro_syntax::object::{DateTime, Dict, String as PdfString};
use socle_core::document::Metadata;

/// Reads title, authors, language and times.
pub(super) fn read(pdf: &Pdf, metadata: &mut Metadata) {
    let info = pdf.metadata();
    let text = |bytes: &Option<Box<[u8]>>| {
        let text = text_string(bytes.as_deref()?);
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        (!text.is_empty()).then_some(text)
    };
    metadata.title = text(&info.title);
    metadata.author = text(&info.author);
    metadata.created = info.creation_date.as_ref().and_then(rfc3339);
    metadata.modified = info.modification_date.as_ref().and_then(rfc3339);
    metadata.page_count = u32::try_from(pdf.pages().len()).ok();
    let catalog = pdf.xref().get::<Dict<'_>>(pdf.xref().root_id());
    let language = catalog.as_ref().and_then(|catalog| catalog.get::<PdfString<'_>>("Lang"));
    metadata.incomplete = missing_pages(pdf.pages().len(), catalog.as_ref());
    metadata.language =
        language.map(|tag| text_string(tag.as_bytes()).trim().to_string()).filter(|tag| !tag.is_empty());
}

/// What is missing if there are fewer pages than the file says that it has, as where it was cut off and repaired.
fn missing_pages(found: usize, catalog: Option<&Dict<'_>>) -> Option<String> {
    let stated = catalog?.get::<Dict<'_>>("Pages")?.get::<usize>("Count")?;
    (found < stated).then(|| format!("the file says that it has {stated} pages, and {found} were found"))
}

/// Converts a PDF date to RFC 3339; `None` if it is invalid.
fn rfc3339(time: &DateTime) -> Option<String> {
    let days = match time.month {
        2 if time.year.is_multiple_of(4) && (!time.year.is_multiple_of(100) || time.year.is_multiple_of(400)) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return None,
    };
    if time.day == 0 || time.day > days || time.year == 0 {
        return None;
    }
    let (hours, minutes) = (time.utc_offset_hour, time.utc_offset_minute);
    let zone = if hours == 0 && minutes == 0 {
        "Z".to_string()
    } else {
        format!("{}{:02}:{minutes:02}", if hours < 0 { '-' } else { '+' }, hours.unsigned_abs())
    };
    let DateTime { year, month, day, hour, minute, second, .. } = time;
    Some(format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}{zone}"))
}

/// A text string (ISO 32000-2, 7.9.2.2): UTF-16 or UTF-8 with a byte order mark, or PDFDocEncoding. Some programs write
/// UTF-8 without one.
pub(super) fn text_string(bytes: &[u8]) -> String {
    let utf16 = |rest: &[u8], big: bool| {
        let units = rest.chunks_exact(2).map(|pair| match pair {
            [high, low] if big => u16::from_be_bytes([*high, *low]),
            [low, high] => u16::from_le_bytes([*low, *high]),
            _ => 0,
        });
        char::decode_utf16(units).map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER)).collect::<String>()
    };
    let text = match bytes {
        [0xfe, 0xff, rest @ ..] => utf16(rest, true),
        [0xff, 0xfe, rest @ ..] => utf16(rest, false),
        [0xef, 0xbb, 0xbf, rest @ ..] => String::from_utf8_lossy(rest).into_owned(),
        _ => match std::str::from_utf8(bytes) {
            Ok(text) => text.to_string(),
            Err(_) => bytes.iter().map(|byte| pdf_doc(*byte)).collect(),
        },
    };
    // UTF-16 strings may contain language tags between escape characters.
    text.chars().filter(|c| !c.is_control() || matches!(c, '\n' | '\t')).collect()
}

/// A character of PDFDocEncoding (ISO 32000-1, annex D.2).
fn pdf_doc(byte: u8) -> char {
    const LOW: [char; 8] = ['˘', 'ˇ', 'ˆ', '˙', '˝', '˛', '˚', '˜'];
    const HIGH: [char; 31] = [
        '•', '†', '‡', '…', '—', '–', 'ƒ', '⁄', '‹', '›', '−', '‰', '„', '“', '”', '‘', '’', '‚', '™', 'ﬁ', 'ﬂ', 'Ł',
        'Œ', 'Š', 'Ÿ', 'Ž', 'ı', 'ł', 'œ', 'š', 'ž',
    ];
    match byte {
        0x18..=0x1f => LOW.get(usize::from(byte - 0x18)).copied().unwrap_or(' '),
        0x80..=0x9e => HIGH.get(usize::from(byte - 0x80)).copied().unwrap_or(' '),
        0xa0 => '€',
        byte => char::from(byte),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_was_cut_off_says_how_many_pages_are_missing() {
        let head = "%PDF-1.4\n1 0 obj\n<</Type /Catalog /Pages 2 0 R>>\nendobj\n\
                    2 0 obj\n<</Type /Pages /Kids [3 0 R 4 0 R] /Count 2>>\nendobj\n\
                    3 0 obj\n<</Type /Page /Parent 2 0 R /MediaBox [0 0 99 99]>>\nendobj\n";
        let rest =
            "4 0 obj\n<</Type /Page /Parent 2 0 R /MediaBox [0 0 99 99]>>\nendobj\ntrailer\n<</Root 1 0 R>>\n%%EOF\n";
        let incomplete = |file: &str| {
            let mut metadata = Metadata::default();
            read(&crate::pdf::open(file.as_bytes()).unwrap(), &mut metadata);
            metadata.incomplete
        };
        assert_eq!(incomplete(&format!("{head}{rest}")), None);
        assert_eq!(incomplete(head).as_deref(), Some("the file says that it has 2 pages, and 1 were found"));
    }
}
