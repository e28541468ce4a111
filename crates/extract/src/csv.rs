//! CSV with commas, semicolons, tabs or vertical bars as delimiters, written as one table.

use crate::Writer;
use crate::encoding::decode;
use crate::media::{cells, delimiter};
use socle_core::{Error, Kind, Result};

/// Delimiters, the most common first.
const DELIMITERS: [u8; 4] = [b',', b';', b'\t', b'|'];
/// Number of bytes that are examined to find the delimiter.
const SAMPLE: usize = 1 << 16;

/// Reads the document and writes it as Markdown.
///
/// # Errors
/// As [`crate::extract`].
pub fn read(bytes: &[u8], writer: &mut Writer) -> Result<()> {
    let text = decode(bytes, None);
    // Excel may declare the delimiter on a line of its own.
    let (named, text) = match text.split_once('\n').map(|(line, rest)| (line.trim().as_bytes(), rest)) {
        Some(([b's', b'e', b'p', b'=', sign], rest)) => (Some(*sign), rest),
        _ => (None, &*text),
    };
    let sign = named.unwrap_or_else(|| separator(text));
    let mut reader =
        csv::ReaderBuilder::new().has_headers(false).flexible(true).delimiter(sign).from_reader(text.as_bytes());
    let (mut rows, mut count) = (Vec::new(), 0_usize);
    let most = writer.limits().output;
    for record in reader.records() {
        let record = record
            .map_err(|error| Error::new(Kind::DamagedDocument, "rows cannot be read").detail(error.to_string()))?;
        // Each cell takes at least three bytes of Markdown, so rows beyond the limit need not be kept.
        count = count.saturating_add(record.as_slice().len() + 3 * record.len());
        if count > most.saturating_mul(2) {
            return Err(writer.too_long());
        }
        rows.push(record.iter().map(str::to_string).collect::<Vec<_>>());
    }
    writer.table(&rows)
}

/// Detects the delimiter: the one that gives rows of equal length, or else the one with which most rows are as long as
/// the first.
fn separator(text: &str) -> u8 {
    let end = (0..=SAMPLE.min(text.len())).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
    let sample = text.get(..end).unwrap_or_default();
    delimiter(sample, end == text.len()).unwrap_or_else(|| {
        let alike = |sign: &u8| {
            let mut counts = sample.lines().filter(|line| !line.trim().is_empty()).map(|line| cells(line, *sign));
            let first = counts.next().flatten().filter(|count| *count > 1);
            first.map_or(0, |first| 1 + counts.filter(|count| *count == Some(first)).count())
        };
        DELIMITERS.into_iter().rev().max_by_key(alike).unwrap_or(b',')
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Limits, Media};
    use socle_core::chunk::{Characters, ChunkRule, Format, chunk};

    fn markdown(bytes: &[u8], output: usize) -> Result<String> {
        let mut writer = Writer::new(Media::Csv, Limits { output, unpacked: 0, depth: 0 });
        read(bytes, &mut writer)?;
        Ok(writer.finish().markdown)
    }

    #[test]
    fn any_separator_makes_a_table() {
        for text in [
            "a,b,c\n1,\"x, \"\"y\"\"\nz\",3\n,,\n4,5\n",
            "a;b;c\r\n1;\"x, \"\"y\"\"\r\nz\";3\r\n4;5",
            "a\tb\tc\n1\t\"x, \"\"y\"\"\nz\"\t3\n4\t5\n",
            "sep=|\na|b|c\n1|\"x, \"\"y\"\"\nz\"|3\n4|5\n",
        ] {
            let wanted = "| a | b | c |\n| --- | --- | --- |\n| 1 | x, \"y\" z | 3 |\n| 4 | 5 |";
            assert_eq!(markdown(text.as_bytes(), 1000).as_deref(), Ok(wanted), "{text}");
        }
        // Decimal commas.
        assert!(markdown(b"a;b\n1,5;2,5\n1,5;2,5\n", 1000).unwrap().contains("| 1,5 | 2,5 |"));
        assert!(markdown(b"Stra\xdfe;Gr\xf6\xdfe\nM\xfcnchen;2\n", 1000).unwrap().contains("| Straße | Größe |"));
        assert_eq!(markdown(b"name\nA\nB", 1000).as_deref(), Ok("| name |\n| --- |\n| A |\n| B |"));
        assert_eq!(markdown(b"\n\n", 1000).as_deref(), Ok(""));
    }

    #[test]
    fn rows_of_windows_are_told_by_their_shape() {
        let text =
            "Artikel;Größe;Preis\r\nSchlüssel;15 cm;4,50 €\r\n\"Tür; weiß\";2 m;120,00 €\r\nKäse – alt;1 kg;9,90 €\r\n";
        let bytes = encoding_rs::WINDOWS_1252.encode(text).0;
        let limits = Limits { output: 1000, unpacked: 0, depth: 0 };
        let document = crate::extract(&bytes, None, None, limits).unwrap();
        assert_eq!(document.metadata.media_type, "text/csv");
        let wanted = "| Artikel | Größe | Preis |\n| --- | --- | --- |\n| Schlüssel | 15 cm | 4,50 € |\n| Tür; weiß | 2 m | \
                      120,00 € |\n| Käse – alt | 1 kg | 9,90 € |";
        assert_eq!(document.markdown, wanted);
    }

    #[test]
    fn one_wide_row_does_not_widen_the_others() {
        let text = format!("a,b\n{}{}\n", "1,2\n".repeat(1000), "x,".repeat(2000));
        let markdown = markdown(text.as_bytes(), 1 << 16).unwrap();
        assert!(markdown.contains("\n| 1 | 2 |\n") && markdown.ends_with("| x | x |"), "{markdown}");
    }

    #[test]
    fn chunks_of_rows_have_the_header_in_their_path() {
        let rows: String = (0..500).map(|row| format!("screw {row};M{};{row},50\n", row % 9)).collect();
        let text = markdown(format!("part;size;price\n{rows}").as_bytes(), 1 << 20).unwrap();
        let rule = ChunkRule::new(300, 0, Format::Markdown).unwrap();
        let mut count = 0;
        chunk(&text, &rule, &Characters, &mut |chunk| {
            let path: &[&str] = if count == 0 { &[] } else { &["part | size | price"] };
            assert_eq!(chunk.heading_path, path, "{}", chunk.content);
            count += 1;
            Ok(())
        })
        .unwrap();
        assert!(count > 30);
    }

    #[test]
    fn long_files_are_refused_early() {
        let error = markdown("a,a,a,a\n".repeat(100_000).as_bytes(), 1 << 16).unwrap_err();
        assert_eq!(error.kind, Kind::InputTooLong);
        assert!(markdown(b"\"never closed\n1,2,3\n", 1000).is_ok());
    }
}
