//! Pictures that are whole, cut short, or something else than their dictionaries say.

use super::*;
use crate::picture::jpeg;
use image::codecs::jpeg::JpegEncoder;
use image::{DynamicImage, GrayImage};
use std::io::Write as _;

const SIZE: &str = "/Width 300 /Height 200 /BitsPerComponent 8 /ColorSpace /DeviceGray";
const DAMAGED: Findings = Findings { unread: 1, is_damaged: true, is_too_large: false };

/// A PDF of one page, that draws these pictures and then does this; the pictures are called `I0`, `I1` and so on.
fn pdf(pictures: &[(&str, Vec<u8>)], drawing: &str) -> hayro_syntax::Pdf {
    let names: Vec<String> = (0..pictures.len()).map(|at| format!("/I{at} {} 0 R", at + 5)).collect();
    let drawn: Vec<String> = (0..pictures.len()).map(|at| format!("/I{at} Do")).collect();
    let stream = |entries: &str, bytes: &[u8]| {
        let head = format!("<<{entries} /Length {}>>\nstream\n", bytes.len());
        [head.as_bytes(), bytes, b"\nendstream"].concat()
    };
    let resources = format!("<</XObject <<{}>>>>", names.join(" "));
    let mut objects = vec![
        b"<</Type /Catalog /Pages 2 0 R>>".to_vec(),
        b"<</Type /Pages /Kids [3 0 R] /Count 1>>".to_vec(),
        format!("<</Type /Page /Parent 2 0 R /MediaBox [0 0 300 200] /Contents 4 0 R /Resources {resources}>>").into(),
        stream("", format!("{} {drawing}", drawn.join(" ")).as_bytes()),
    ];
    objects.extend(pictures.iter().map(|(entries, bytes)| stream(entries, bytes)));
    let (mut file, mut places) = (b"%PDF-1.7\n".to_vec(), Vec::new());
    for (at, object) in objects.iter().enumerate() {
        places.push(file.len());
        writeln!(file, "{} 0 obj", at + 1).unwrap();
        file.extend_from_slice(object);
        file.extend_from_slice(b"\nendobj\n");
    }
    let start = file.len();
    write!(file, "xref\n0 {}\n0000000000 65535 f \n", places.len() + 1).unwrap();
    places.iter().for_each(|place| writeln!(file, "{place:010} 00000 n ").unwrap());
    write!(file, "trailer\n<</Size {} /Root 1 0 R>>\nstartxref\n{start}\n%%EOF\n", places.len() + 1).unwrap();
    crate::pdf::open(&file).unwrap()
}

fn findings(pictures: &[(&str, Vec<u8>)]) -> Findings {
    Pictures::default().of_page(&pdf(pictures, "").pages()[0])
}

/// What is found about a picture.
fn one(entries: &str, bytes: &[u8]) -> Findings {
    findings(&[(&format!("/Subtype /Image {entries}"), bytes.to_vec())])
}

fn image(format: &str) -> String {
    format!("{SIZE} {format}")
}

fn deflated(bytes: &[u8]) -> Vec<u8> {
    let mut packed = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(bytes).unwrap();
    packed.finish().unwrap()
}

fn noise(length: usize) -> Vec<u8> {
    let mut state = 7_u32;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    (0..length).map(|_| next()).collect()
}

/// Grey lines of 300 pixels, `rows` of them, that compress to some extent.
fn rows(rows: usize) -> Vec<u8> {
    (0..rows).flat_map(|y| (0..300).map(move |x| if (x * 31 + y * 17) % 23 < 9 { 20 } else { 240 })).collect()
}

fn jpeg() -> Vec<u8> {
    let grey = GrayImage::from_raw(300, 200, rows(200)).unwrap();
    let mut bytes = Vec::new();
    DynamicImage::ImageLuma8(grey).write_with_encoder(JpegEncoder::new(&mut bytes)).unwrap();
    bytes
}

/// The whole data, without the last two bytes, the first half and noise of the same length.
fn assert_found(entries: &str, whole: &[u8]) {
    assert_eq!(one(entries, whole), Findings::default(), "{entries}");
    assert_eq!(one(entries, &whole[..whole.len() - 2]), Findings::default(), "{entries}, two bytes missing");
    assert_eq!(one(entries, &whole[..whole.len() / 2]), DAMAGED, "{entries}, cut");
    if entries.contains("Filter") {
        assert_eq!(one(entries, &noise(whole.len())), DAMAGED, "{entries}, noise");
    }
}

#[test]
fn a_picture_without_compression_or_with_deflate_is_measured() {
    assert_found(SIZE, &rows(200));
    let flate = image("/Filter /FlateDecode");
    assert_found(&flate, &deflated(&rows(200)));
    // Two rows of two hundred may be missing, and fifty may not.
    assert_eq!(one(&flate, &deflated(&rows(198))), Findings::default());
    assert_eq!(one(&flate, &deflated(&rows(150))), DAMAGED);
    assert_eq!(one(&flate, b""), DAMAGED);
    assert_eq!(one(&flate.replace("Component 8", "Component 99"), &deflated(&noise(800_000))), DAMAGED);
    // Each row begins with the number of a filter.
    let filtered: Vec<u8> = rows(200).chunks(300).flat_map(|row| [&[0], row].concat()).collect();
    let png = image("/Filter /FlateDecode /DecodeParms <</Predictor 15 /Columns 300>>");
    assert_found(&png, &deflated(&filtered));
    // Three components take three times as many bytes.
    let colours = flate.replace("/DeviceGray", "[/ICCBased 4 0 R]").replace("/Height 200", "/Height 66");
    assert_eq!(one(&colours, &deflated(&rows(66))), Findings::default());
    assert_eq!(one(&colours.replace("[/ICCBased 4 0 R]", "/DeviceRGB"), &deflated(&rows(66))), DAMAGED);
}

#[test]
fn a_checksum_that_is_not_that_of_the_data_says_that_something_in_the_middle_is_another() {
    let flate = image("/Filter /FlateDecode");
    let mut packed = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::none());
    packed.write_all(&rows(200)).unwrap();
    let whole = packed.finish().unwrap();
    let with = |at: usize, bytes: &[u8]| {
        let mut changed = whole.clone();
        changed[at..at + bytes.len()].copy_from_slice(bytes);
        one(&flate, &changed)
    };
    assert_eq!(one(&flate, &whole), Findings::default());
    assert_eq!(with(30_000, &[7; 16]), DAMAGED);
    // Some programs leave the checksum out.
    assert_eq!(with(whole.len() - 4, &[0; 4]), Findings::default());
    assert_eq!(one(&flate, &[&whole[..], b"\r\n"].concat()), Findings::default());
}

#[test]
fn a_picture_that_is_not_there_is_damaged() {
    assert_eq!(Pictures::default().of_page(&pdf(&[], "/Gone Do").pages()[0]), DAMAGED);
}

#[test]
fn a_picture_through_a_filter_that_nobody_knows_is_damaged() {
    for filter in ["/FooDecode", "[/FooDecode /FlateDecode]", "[/FlateDecode /FooDecode]"] {
        assert_eq!(one(&image(&format!("/Filter {filter}")), &deflated(&rows(200))), DAMAGED, "{filter}");
    }
    assert_eq!(one("/BitsPerComponent 8 /ColorSpace /DeviceGray", &rows(200)), DAMAGED);
}

#[test]
fn of_a_jpeg_the_blocks_are_counted() {
    let dct = image("/Filter /DCTDecode");
    assert_found(&dct, &jpeg());
    // The mark of the end does not make it whole.
    let half = [&jpeg()[..jpeg().len() / 2], &[0xff, 0xd9]].concat();
    assert_eq!(one(&dct, &half), DAMAGED);
    assert_found(&image("/Filter [/FlateDecode /DCTDecode]"), &deflated(&jpeg()));
    let hex: String = jpeg().iter().map(|byte| format!("{byte:02X}")).collect();
    assert_found(&image("/Filter [/ASCIIHexDecode /DCTDecode]"), hex.as_bytes());
}

#[test]
fn a_jpeg_that_becomes_finer_is_whole_when_it_has_become_so() {
    let part = |marker: u8, bytes: &[u8]| [&[0xff, marker, 0, bytes.len() as u8 + 2], bytes].concat();
    let scan = |from: u8, to: u8, bits: u8| [part(0xda, &[1, 1, 0, from, to, bits]), vec![0x55; 20]].concat();
    let frame = part(0xc2, &[8, 0, 200, 1, 44, 1, 1, 0x11, 0]);
    let is_whole = |scans: &[Vec<u8>]| jpeg::is_whole(&[&[0xff, 0xd8], &frame[..], &scans.concat()].concat(), None);
    assert!(is_whole(&[scan(0, 0, 1), scan(1, 63, 2), scan(0, 0, 0x10), scan(1, 63, 0x21), scan(1, 63, 0x10)]));
    assert!(!is_whole(&[scan(0, 0, 1), scan(1, 63, 2), scan(0, 0, 0x10), scan(1, 63, 0x21)]));
    assert!(!is_whole(&[scan(0, 0, 0), scan(1, 5, 0)]));
}

#[test]
fn of_a_jpeg_2000_a_few_bytes_may_be_missing() {
    let files: [&[u8]; 2] = [
        include_bytes!("../../../tests/files/picture/line.jp2"),
        include_bytes!("../../../tests/files/picture/line.j2k"),
    ];
    for file in files {
        assert_found(&image("/Filter /JPXDecode"), file);
    }
}

#[test]
fn of_a_fax_the_rows_are_counted_up_to_the_mark_of_its_end() {
    let fax = |height: u32, filter: &str| {
        format!("/Width 300 /Height {height} /BitsPerComponent 1 /ColorSpace /DeviceGray /Filter {filter}")
    };
    let filter = "/CCITTFaxDecode /DecodeParms <</K -1 /Columns 300>>";
    // Each bit is a white row, as the one above it.
    let (all, end) = (vec![0xff; 25], [0x00, 0x10, 0x01]);
    assert_eq!(one(&fax(200, filter), &[&all, &end[..]].concat()), Findings::default());
    assert_eq!(one(&fax(200, filter), &all), Findings::default());
    assert_eq!(one(&fax(200, filter), &all[..12]), DAMAGED);
    // A page that is shorter than its dictionary says.
    assert_eq!(one(&fax(300, filter), &[&all, &end[..]].concat()), Findings::default());
    assert_eq!(one(&fax(200, filter), &noise(80)), DAMAGED);
    let large = fax(40_000, filter).replace("/Width 300", "/Width 40000");
    let too_large = Findings { is_too_large: true, ..DAMAGED };
    assert_eq!(one(&large, &all), too_large);
    assert_eq!(one(&fax(200, &filter.replace("300", "4000000000")), &all), too_large);
}

#[test]
fn jbig2_that_lacks_a_part_of_a_segment_is_damaged() {
    let size = [0, 0, 1, 44, 0, 0, 0, 200];
    let segment =
        |number: u8, kind: u8, data: &[u8]| [&[0, 0, 0, number, kind, 0, 1, 0, 0, 0, data.len() as u8], data].concat();
    let page = segment(0, 48, &[&size[..], &[0; 11]].concat());
    let fax = [&[0xff; 25][..], &[0x00, 0x10, 0x01]].concat();
    let region = segment(1, 38, &[&size[..], &[0, 0, 0, 0, 0, 0, 0, 0, 0], &[1], &fax].concat());
    let whole = [page, region].concat();
    let entries = "/Width 300 /Height 200 /BitsPerComponent 1 /ColorSpace /DeviceGray /Filter /JBIG2Decode";
    assert_eq!(one(entries, &whole), Findings::default());
    assert_eq!(one(entries, &[&whole, &b"\r\n"[..]].concat()), Findings::default());
    assert_eq!(one(entries, &whole[..whole.len() - 16]), DAMAGED);
    assert_eq!(one(entries, &noise(200)), DAMAGED);
}

#[test]
fn the_mask_of_a_picture_pictures_in_forms_and_inline_pictures_count() {
    let flate = format!("/Subtype /Image {SIZE} /Filter /FlateDecode");
    let (whole, half) = (deflated(&rows(200)), deflated(&rows(100)));
    assert_eq!(
        findings(&[(&format!("{flate} /SMask 6 0 R"), whole.clone()), (&flate, whole.clone())]),
        Findings::default()
    );
    let mask = format!("{SIZE} /Filter /FlateDecode");
    assert_eq!(findings(&[(&format!("{flate} /SMask 6 0 R"), whole.clone()), (&mask, half.clone())]), DAMAGED);
    let form = "/Subtype /Form /Resources <</XObject <</P 6 0 R>>>>";
    let in_form = [(form, b"/P Do".to_vec()), (flate.as_str(), half.clone())];
    // It is drawn twice, and counts once.
    assert_eq!(findings(&in_form), DAMAGED);
    let two = [(flate.as_str(), half.clone()), (flate.as_str(), half.clone()), (flate.as_str(), whole)];
    assert_eq!(findings(&two), Findings { unread: 2, ..DAMAGED });
    let inline = |bytes: &str| format!("BI /W 20 /H 10 /BPC 8 /CS /G /F /AHx ID {bytes}> EI");
    let inline = |bytes: &str| Pictures::default().of_page(&pdf(&[], &inline(bytes)).pages()[0]);
    assert_eq!(inline(&"7F".repeat(200)), Findings::default());
    assert_eq!(inline(&"7F".repeat(90)), DAMAGED);
}

#[test]
fn a_damaged_picture_on_several_pages_counts_once() {
    let flate = format!("/Subtype /Image {SIZE} /Filter /FlateDecode");
    let file = pdf(&[(&flate, deflated(&rows(100)))], "");
    let mut pictures = Pictures::default();
    assert_eq!(pictures.of_page(&file.pages()[0]), DAMAGED);
    assert_eq!(pictures.of_page(&file.pages()[0]), Findings { unread: 0, ..DAMAGED });
}

#[test]
fn spacers_do_not_count() {
    let entries =
        "/Subtype /Image /Width 1 /Height 20 /BitsPerComponent 8 /ColorSpace /DeviceGray /Filter /FlateDecode";
    assert_eq!(findings(&[(entries, b"none".to_vec())]), Findings::default());
}
