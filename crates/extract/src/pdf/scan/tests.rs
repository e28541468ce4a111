//! Scans of known pages: what their words become is compared with what becomes of the pages themselves. The words are given
//! with the rough boxes that recognisers make; the pictures are real, because sizes and baselines are measured in them.

mod beside;

use super::*;
use crate::pdf::{Fonts, Form, line, open, run};
use crate::{Limits, extract, extract_with_ocr};
use socle_core::Kind;
use socle_core::document::{BlockKind, Document, OcrMode};
use socle_ocr::{Picture, Recognized, Recognizer, Word};
use std::collections::VecDeque;
use std::io::Write as _;

const LIMITS: Limits = Limits { output: 1 << 24, unpacked: 1 << 28, depth: 4 };
const PIXELS_OF_POINT: f32 = 200.0 / 72.0;

/// Knows the words of each picture that comes.
struct Known(VecDeque<Recognized>);

impl Recognizer for Known {
    fn begin(&mut self, picture: Picture) -> Result<()> {
        picture.check()
    }

    fn finish(&mut self) -> Result<Recognized> {
        Ok(self.0.pop_front().unwrap_or_default())
    }

    fn ahead(&self) -> usize {
        2
    }
}

fn file(name: &str) -> Vec<u8> {
    std::fs::read(format!("{}/tests/files/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

/// The pictures of some pages, and the words on them with rough boxes.
fn scanned(bytes: &[u8], count: usize) -> (Vec<Picture>, VecDeque<Recognized>) {
    let pdf = open(bytes).unwrap();
    let (mut fonts, form, mut limits) = (Fonts::new(), Form::of(&pdf), LIMITS);
    let (mut pictures, mut words) = (Vec::new(), VecDeque::new());
    for page in pdf.pages().iter().take(count) {
        pictures.push(render::picture(page).unwrap().0);
        let found = run(page, &mut fonts, &mut limits, &form).unwrap();
        let lines = line::lines(&found.glyphs, &found.rules).into_iter().next().unwrap_or_default();
        let mut recognized = Recognized::default();
        for (number, line) in (0..).zip(lines) {
            for word in &line.words {
                let (left, right) = ((word.x0 - 0.5) * PIXELS_OF_POINT, (word.x1 + 0.5) * PIXELS_OF_POINT);
                // Higher or lower from line to line, as boxes are.
                let slack = 1.0 + (number % 3) as f32 * 0.4;
                let top = (word.y - 0.85 * word.size - slack) * PIXELS_OF_POINT;
                let bottom = (word.y + 0.25 * word.size + slack) * PIXELS_OF_POINT;
                let quad = [(left, top), (right, top), (right, bottom), (left, bottom)];
                recognized.words.push(Word { text: word.text.clone(), quad, confidence: 0.95, line: number });
            }
        }
        words.push_back(recognized);
    }
    (pictures, words)
}

/// A PDF whose pages are these pictures, with a text over each, if there is any.
fn of_pictures(pictures: &[Picture], text: &str) -> Vec<u8> {
    of_pages(&pictures.iter().map(|picture| (picture, text)).collect::<Vec<_>>())
}

fn of_pages(pages: &[(&Picture, &str)]) -> Vec<u8> {
    let mut objects: Vec<Vec<u8>> = vec![b"<</Type /Catalog /Pages 2 0 R>>".to_vec()];
    let kids: Vec<String> = (0..pages.len()).map(|at| format!("{} 0 R", 3 + 3 * at)).collect();
    objects.push(format!("<</Type /Pages /Kids [{}] /Count {}>>", kids.join(" "), pages.len()).into_bytes());
    for (at, (picture, text)) in pages.iter().enumerate() {
        let (width, height) = (picture.width as f32 / PIXELS_OF_POINT, picture.height as f32 / PIXELS_OF_POINT);
        let (contents, image) = (4 + 3 * at, 5 + 3 * at);
        let font = "/Font <</F <</Type /Font /Subtype /Type1 /BaseFont /Helvetica>>>>";
        objects.push(
            format!(
                "<</Type /Page /Parent 2 0 R /MediaBox [0 0 {width} {height}] /Contents {contents} 0 R \
                 /Resources <<{font} /XObject <</I {image} 0 R>>>>>>"
            )
            .into_bytes(),
        );
        objects.push(stream("", format!("q {width} 0 0 {height} 0 0 cm /I Do Q {text}").as_bytes()));
        objects.push(image_of(picture));
    }
    assembled(&objects)
}

fn image_of(picture: &Picture) -> Vec<u8> {
    let space = if picture.channels.bytes() == 1 { "/DeviceGray" } else { "/DeviceRGB" };
    let entries = format!(
        "/Type /XObject /Subtype /Image /Width {} /Height {} /BitsPerComponent 8 /ColorSpace {space}",
        picture.width, picture.height
    );
    stream(&entries, &picture.pixels)
}

fn stream(entries: &str, bytes: &[u8]) -> Vec<u8> {
    let mut packed = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(bytes).unwrap();
    let packed = packed.finish().unwrap();
    let mut object = format!("<<{entries} /Filter /FlateDecode /Length {}>>\nstream\n", packed.len()).into_bytes();
    object.extend(packed);
    object.extend(b"\nendstream");
    object
}

/// A PDF of these objects, the first of which is its catalog.
fn assembled(objects: &[Vec<u8>]) -> Vec<u8> {
    let (mut pdf, mut places) = (b"%PDF-1.7\n".to_vec(), Vec::new());
    for (at, object) in objects.iter().enumerate() {
        places.push(pdf.len());
        writeln!(pdf, "{} 0 obj", at + 1).unwrap();
        pdf.extend_from_slice(object);
        pdf.extend_from_slice(b"\nendobj\n");
    }
    let start = pdf.len();
    write!(pdf, "xref\n0 {}\n0000000000 65535 f \n", places.len() + 1).unwrap();
    places.iter().for_each(|place| writeln!(pdf, "{place:010} 00000 n ").unwrap());
    write!(pdf, "trailer\n<</Size {} /Root 1 0 R>>\nstartxref\n{start}\n%%EOF\n", places.len() + 1).unwrap();
    pdf
}

fn recognized(pdf: &[u8], mode: OcrMode, words: VecDeque<Recognized>) -> Document {
    extract_with_ocr(pdf, None, None, LIMITS, Ocr::new(mode, Box::new(Known(words)))).unwrap()
}

fn headings(document: &Document, pages: usize) -> Vec<&str> {
    let blocks = document.blocks.iter().filter(|block| block.page.is_some_and(|page| page as usize <= pages));
    let headings = blocks.filter(|block| matches!(block.kind, BlockKind::Heading(_)));
    headings.map(|block| document.markdown[block.start..block.end].trim_start_matches('#').trim()).collect()
}

fn words_of(document: &Document, pages: usize) -> Vec<&str> {
    let blocks = document.blocks.iter().filter(|block| block.page.is_some_and(|page| page as usize <= pages));
    blocks.flat_map(|block| document.markdown[block.start..block.end].split_whitespace()).collect()
}

/// Share of the words of `expected` that are in `found` in their order.
fn in_order(expected: &[&str], found: &[&str]) -> f64 {
    let mut best = vec![0_usize; found.len() + 1];
    for word in expected {
        let mut above_left = 0;
        for at in 0..found.len() {
            let above = best[at + 1];
            best[at + 1] = if *word == found[at] { above_left + 1 } else { above.max(best[at]) };
            above_left = above;
        }
    }
    best[found.len()] as f64 / expected.len() as f64
}

#[test]
fn a_scan_of_pages_has_their_words_in_their_order_and_their_headings() {
    const PAGES: usize = 4;
    for name in ["handbook.pdf", "columns.pdf", "pdf/typst-columns.pdf"] {
        let pages = open(&file(name)).unwrap().pages().len().min(PAGES);
        let printed = extract(&file(name), None, None, LIMITS).unwrap();
        let (pictures, words) = scanned(&file(name), pages);
        let scan = recognized(&of_pictures(&pictures, ""), OcrMode::Auto, words);
        let (expected, found) = (words_of(&printed, pages), words_of(&scan, pages));
        let share = in_order(&expected, &found);
        assert!(share > 0.97, "{name}: {share}\n{}", scan.markdown);
        let large: Vec<&str> = headings(&printed, 1);
        let read = headings(&scan, 1);
        assert!(large.first().is_none_or(|first| read.contains(first)), "{name}: {large:?} {read:?}");
        assert_eq!(scan.metadata.recognized.len(), pages, "{name}");
        assert_eq!(scan.metadata.pages_without_text, None);
        assert_eq!(scan.metadata.recognized[0].permille, 950);
    }
}

#[test]
fn pages_with_text_are_not_recognised() {
    let (_, words) = scanned(&file("handbook.pdf"), 1);
    let untouched = recognized(&file("handbook.pdf"), OcrMode::Auto, words);
    assert_eq!(untouched, extract(&file("handbook.pdf"), None, None, LIMITS).unwrap());
}

#[test]
fn a_scanned_page_after_a_printed_one_is_read_and_one_that_cannot_be_decoded_is_counted() {
    let (pictures, mut words) = scanned(&file("handbook.pdf"), 2);
    let row = "(This page was printed, and has a picture below its text.) Tj 0 -10 Td ";
    let printed = format!("BT /F 8 Tf 40 700 Td {} ET", row.repeat(4));
    let mut pdf = of_pages(&[(&pictures[0], &printed), (&pictures[1], ""), (&pictures[0], "")]);
    let scan = of_pictures(&pictures[1..], "");
    words.pop_front();
    let alone = recognized(&scan, OcrMode::Auto, words.clone());
    // The last picture becomes a JPEG that is none.
    let filter = pdf.windows(12).rposition(|part| part == b"/FlateDecode").unwrap();
    pdf[filter..filter + 12].copy_from_slice(b"/DCTDecode  ");
    words.push_back(Recognized::default());
    let read = recognized(&pdf, OcrMode::Auto, words);
    let (before, after) = read.markdown.split_at(read.markdown.find("\n\n").unwrap());
    assert!(before.starts_with("This page was printed") && after.contains(&alone.markdown[..40]), "{}", read.markdown);
    assert_eq!(read.metadata.recognized.iter().map(|page| page.page).collect::<Vec<_>>(), [Some(2)]);
    assert_eq!((read.metadata.pages_without_text, read.metadata.unread_pictures), (Some(1), Some(1)));
}

/// Overwrites the compressed pixels of the last picture, from a share of them on in percent.
fn damage(pdf: &mut [u8], from: usize) {
    let begin = pdf.windows(9).rposition(|part| part == b">>\nstream").unwrap() + 10;
    let end = pdf.windows(9).rposition(|part| part == b"endstream").unwrap();
    pdf[begin + (end - begin) * from / 100..end].fill(0xff);
}

#[test]
fn pages_whose_pictures_are_damaged_or_cut_short_are_counted() {
    let (pictures, mut words) = scanned(&file("handbook.pdf"), 2);
    let whole = recognized(&of_pictures(&pictures, ""), OcrMode::Auto, words.clone());
    assert_eq!(whole.metadata.unread_pictures, None);
    let mut pdf = of_pictures(&pictures, "");
    // What can be read of the second page is read.
    damage(&mut pdf, 60);
    let cut = recognized(&pdf, OcrMode::Auto, words.clone());
    assert_eq!((cut.metadata.unread_pictures, cut.metadata.pages_without_text), (Some(1), None));
    assert_eq!(cut.metadata.recognized.len(), 2);
    // Of noise the renderer draws nothing: the page looks like a blank one.
    damage(&mut pdf, 0);
    words.truncate(1);
    let noise = recognized(&pdf, OcrMode::Auto, words);
    assert_eq!((noise.metadata.unread_pictures, noise.metadata.pages_without_text), (Some(1), Some(1)));
    assert_eq!(noise.metadata.recognized.iter().map(|page| page.page).collect::<Vec<_>>(), [Some(1)]);
}

#[test]
fn a_scan_of_which_no_picture_can_be_decoded_is_an_error_that_says_so() {
    let (pictures, _) = scanned(&file("handbook.pdf"), 1);
    let mut noise = of_pictures(&pictures, "");
    damage(&mut noise, 0);
    // A picture that would take too much memory; the page is not rendered.
    let mut large = of_pictures(&pictures, "");
    let width = large.windows(7).position(|part| part == b"/Width ").unwrap();
    let bits = large[width..].windows(4).position(|part| part == b"/Bit").unwrap();
    large[width..width + bits].copy_from_slice(format!("{:bits$}", "/Width 60000 /Height 9999").as_bytes());
    for pdf in [noise, large] {
        let nothing = Ocr::new(OcrMode::Auto, Box::new(Known(VecDeque::new())));
        let error = extract_with_ocr(&pdf, None, None, LIMITS, nothing).unwrap_err();
        assert_eq!(error.message, "document has no text: a picture in it cannot be decoded");
        assert_eq!(error.kind, Kind::DamagedDocument);
        assert!(error.hint.unwrap().contains("scan it again"));
    }
}

#[test]
fn an_invisible_text_stays_if_it_is_good_and_is_replaced_if_it_is_not() {
    let (pictures, words) = scanned(&file("handbook.pdf"), 1);
    let row = "(The whole of this invisible text over the picture of the page can be read by everybody who wants to) Tj 0 -12 Td ";
    let good = format!("BT 3 Tr /F 10 Tf 40 700 Td {} ET", row.repeat(5));
    let kept = recognized(&of_pictures(&pictures, &good), OcrMode::Auto, words.clone());
    assert!(kept.markdown.contains("invisible text over the picture"), "{}", kept.markdown);
    assert!(kept.metadata.recognized.is_empty());
    let bad = "BT 3 Tr /F 10 Tf 40 700 Td (Tbe wh0le 0f tb|s inv1s1ble tex~ 0ver tb3 p|ctur3 c^n n0t b3 r3ad by an~b0dy a1 a11) Tj ET";
    let replaced = recognized(&of_pictures(&pictures, bad), OcrMode::Auto, words);
    assert!(!replaced.markdown.contains("wh0le"), "{}", replaced.markdown);
    assert_eq!(replaced.metadata.recognized.len(), 1);
}

#[test]
fn a_hidden_text_in_letters_that_the_model_lacks_stays() {
    let stays = |hidden: &str, read: &str| super::has_other_letters(hidden, read.split(' '));
    assert!(stays("Договор аренды причала номер пять", "Aorobop apeнды npuчaлa Homep nять"));
    assert!(stays("Hợp đồng thuê cầu cảng số ba", "Hop dong thuê cau cang so ba"));
    assert!(stays(
        "Οι πολίτες υποβάλλουν αίτηση μέσα σε τριάντα ημέρες",
        "Οι πολιτεσ υποβαλλουν αιτηση μεσα σε τριαντα ημερεσ"
    ));
    assert!(!stays("Договор аренды причала", "Договор аренды причала"));
    assert!(!stays("Le quai a été loué à l’année", "Le quai a été loué à l'année"));
    assert!(!stays("The quay was let in May, à la carte", "The quay was let in May, a la carte"));
}

#[test]
fn a_stamp_on_a_scan_does_not_hide_its_text() {
    let (pictures, words) = scanned(&file("handbook.pdf"), 1);
    let expected = words_of(&extract(&file("handbook.pdf"), None, None, LIMITS).unwrap(), 1).len();
    let stamp = "BT /F 8 Tf 40 5 Td (Received 12 May) Tj ET";
    let read = recognized(&of_pictures(&pictures, stamp), OcrMode::Auto, words);
    assert!(read.markdown.contains("Received 12 May"), "{}", read.markdown);
    assert!(words_of(&read, 1).len() * 10 > expected * 9);
}

#[test]
fn strokes_of_letters_that_are_drawn_do_not_tear_lines() {
    let (pictures, words) = scanned(&file("handbook.pdf"), 1);
    let plain = recognized(&of_pictures(&pictures, ""), OcrMode::Auto, words.clone());
    // In white: the picture has the letters.
    let mut strokes = "1 G 0.1 w ".to_string();
    for word in &words[0].words {
        let [.., (right, bottom), _] = word.quad.map(|(x, y)| (x / PIXELS_OF_POINT, y / PIXELS_OF_POINT));
        let y = pictures[0].height as f32 / PIXELS_OF_POINT - bottom;
        strokes += &format!("{right} {} m {right} {} l S ", y + 1.0, y + 9.0);
    }
    let drawn = recognized(&of_pictures(&pictures, &strokes), OcrMode::Auto, words);
    assert_eq!(drawn.markdown, plain.markdown);
}

#[test]
fn bullets_that_were_not_recognised_are_seen_in_the_picture() {
    let (pictures, mut words) = scanned(&file("handbook.pdf"), 4);
    let whole = recognized(&of_pictures(&pictures, ""), OcrMode::Auto, words.clone());
    let items = |document: &Document| document.markdown.lines().filter(|line| line.starts_with("- ")).count();
    assert!(items(&whole) > 1, "{}", whole.markdown);
    words.iter_mut().for_each(|page| page.words.retain(|word| word.text != "•"));
    let without = recognized(&of_pictures(&pictures, ""), OcrMode::Auto, words);
    assert_eq!(items(&without), items(&whole), "{}", without.markdown);
}

#[test]
fn a_slanted_stamp_is_no_part_of_the_lines_that_it_covers() {
    let (pictures, words) = scanned(&file("handbook.pdf"), 1);
    let plain = recognized(&of_pictures(&pictures, ""), OcrMode::Auto, words.clone());
    let mut stamped = words;
    let (sin, cos) = 12_f32.to_radians().sin_cos();
    let at = |along: f32, across: f32| (700.0 + along * cos - across * sin, 900.0 + along * sin + across * cos);
    for (number, text) in [(5_000, "RECEIVED"), (5_001, "14 May")] {
        let top = 70.0 * (number - 5_000) as f32;
        let quad = [at(0.0, top), at(300.0, top), at(300.0, top + 50.0), at(0.0, top + 50.0)];
        stamped[0].words.push(Word { text: text.into(), quad, confidence: 0.95, line: number });
    }
    let read = recognized(&of_pictures(&pictures, ""), OcrMode::Auto, stamped);
    let (before, stamp) = read.markdown.split_once("\n\nRECEIVED").unwrap();
    assert_eq!((before, stamp), (plain.markdown.as_str(), "\n\n14 May"));
}

#[test]
fn a_page_is_drawn_with_fonts_that_the_file_does_not_bring() {
    let (pictures, _) = scanned(&file("handbook.pdf"), 1);
    let blank = Picture { pixels: vec![255; pictures[0].pixels.len()], ..pictures[0].clone() };
    let pdf = open(&of_pictures(&[blank], "BT /F 40 Tf 60 400 Td (Harbour) Tj ET")).unwrap();
    let drawn = render::picture(&pdf.pages()[0]).unwrap().0;
    // Seven letters of 40 points, which are 111 pixels.
    let dark = drawn.pixels.iter().filter(|grey| **grey < 128).count();
    assert!((3_000..40_000).contains(&dark), "{dark}");
}

#[test]
fn without_a_recognizer_a_scan_is_an_error_that_says_what_to_do() {
    let (pictures, _) = scanned(&file("handbook.pdf"), 1);
    let error = extract(&of_pictures(&pictures, ""), None, None, LIMITS).unwrap_err();
    assert!(error.hint.unwrap().contains("socle.ocr_model"));
    let blank = Picture { pixels: vec![255; pictures[0].pixels.len()], ..pictures[0].clone() };
    let nothing = Ocr::new(OcrMode::Auto, Box::new(Known(VecDeque::new())));
    let error = extract_with_ocr(&of_pictures(&[blank], ""), None, None, LIMITS, nothing).unwrap_err();
    assert_eq!(error.message, "document has no text: nothing was recognized in its pictures");
}
