//! PDFs that tests write for themselves.

use std::io::Write as _;

/// A PDF of objects, numbered from 1; the first is the catalog.
pub fn made(objects: &[Vec<u8>]) -> Vec<u8> {
    let mut pdf = b"%PDF-1.7\n".to_vec();
    let mut places = Vec::new();
    for (at, object) in objects.iter().enumerate() {
        places.push(pdf.len());
        writeln!(pdf, "{} 0 obj", at + 1).unwrap();
        pdf.extend_from_slice(object);
        pdf.extend_from_slice(b"\nendobj\n");
    }
    let start = pdf.len();
    write!(pdf, "xref\n0 {}\n0000000000 65535 f \n", objects.len() + 1).unwrap();
    for place in places {
        writeln!(pdf, "{place:010} 00000 n ").unwrap();
    }
    write!(pdf, "trailer\n<</Size {} /Root 1 0 R>>\nstartxref\n{start}\n%%EOF\n", objects.len() + 1).unwrap();
    pdf
}

pub fn object(text: &str) -> Vec<u8> {
    text.as_bytes().to_vec()
}

pub fn stream(entries: &str, bytes: &[u8]) -> Vec<u8> {
    let mut object = format!("<<{entries} /Length {}>>\nstream\n", bytes.len()).into_bytes();
    object.extend_from_slice(bytes);
    object.extend_from_slice(b"\nendstream");
    object
}

pub const CATALOG: &str = "<</Type /Catalog /Pages 2 0 R>>";
pub const FONT: &str = "/Font <</F <</Type /Font /Subtype /Type1 /BaseFont /Helvetica>>>>";

/// A document of one page with these instructions, and resources beside the font `F`.
pub fn page(contents: Vec<u8>, resources: &str, more: &[Vec<u8>]) -> Vec<u8> {
    let page = format!("<</Type /Page /Parent 2 0 R /Contents 4 0 R /Resources <<{FONT} {resources}>>>>");
    let mut objects = vec![object(CATALOG), object("<</Type /Pages /Kids [3 0 R] /Count 1>>"), object(&page), contents];
    objects.extend_from_slice(more);
    made(&objects)
}

pub const HELLO: &[u8] = b"BT /F 12 Tf 50 700 Td (Hello harbour) Tj ET";

/// A document of pages, the font `F` and the image `I` in the resources of each.
pub fn pages(contents: &[&[u8]]) -> Vec<u8> {
    let kids: Vec<String> = (0..contents.len()).map(|at| format!("{} 0 R", 4 + 2 * at)).collect();
    let tree = format!("<</Type /Pages /Kids [{}] /Count {}>>", kids.join(" "), contents.len());
    let image = stream("/Subtype /Image /Width 1 /Height 1 /BitsPerComponent 8 /ColorSpace /DeviceGray", b"x");
    let mut objects = vec![object(CATALOG), object(&tree), image];
    for (at, bytes) in contents.iter().enumerate() {
        let resources = format!("<<{FONT} /XObject <</I 3 0 R>>>>");
        let number = 5 + 2 * at;
        objects.push(object(&format!("<</Type /Page /Parent 2 0 R /Contents {number} 0 R /Resources {resources}>>")));
        objects.push(stream("", bytes));
    }
    made(&objects)
}

/// Text at a place, in letters of a size.
pub fn text(x: f32, y: f32, size: f32, text: &str) -> String {
    format!("BT /F {size} Tf {x} {y} Td ({}) Tj ET\n", escaped(text))
}

/// Bold text.
pub fn bold(x: f32, y: f32, size: f32, text: &str) -> String {
    format!("BT /B {size} Tf {x} {y} Td ({}) Tj ET\n", escaped(text))
}

fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('(', "\\(").replace(')', "\\)")
}

/// Text that a tagged document calls a running head or a page number.
pub fn artifact(contents: &str) -> String {
    format!("/Artifact <</Type /Pagination>> BDC {contents} EMC\n")
}

/// Lines of running text below each other, from a height on. What they say depends on `number`.
pub fn prose(number: usize, from: f32, lines: usize) -> String {
    const WORDS: [&str; 16] = [
        "harbour", "crane", "river", "stone", "quay", "pilot", "winter", "rope", "lantern", "ferry", "anchor",
        "market", "bridge", "timber", "signal", "keeper",
    ];
    let mut contents = String::new();
    for line in 0..lines {
        let words: Vec<&str> =
            (0..9).map(|at| WORDS[(number * 7 + line * 5 + at * (1 + number % 3)) % WORDS.len()]).collect();
        contents.push_str(&text(72.0, from - 14.0 * line as f32, 11.0, &format!("The {}.", words.join(" "))));
    }
    contents
}

/// Pages of A4 with the fonts `F` and `B`, which is bold.
pub fn book(contents: &[String]) -> Vec<u8> {
    let fonts = "<</F <</Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding>> \
        /B <</Type /Font /Subtype /Type1 /BaseFont /Helvetica-Bold /Encoding /WinAnsiEncoding>>>>";
    let kids: Vec<String> = (0..contents.len()).map(|at| format!("{} 0 R", 3 + 2 * at)).collect();
    let tree = format!("<</Type /Pages /Kids [{}] /Count {}>>", kids.join(" "), contents.len());
    let mut objects = vec![object(CATALOG), object(&tree)];
    for (at, text) in contents.iter().enumerate() {
        objects.push(object(&format!(
            "<</Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents {} 0 R /Resources <</Font {fonts}>>>>",
            4 + 2 * at
        )));
        objects.push(stream("", text.as_bytes()));
    }
    made(&objects)
}
