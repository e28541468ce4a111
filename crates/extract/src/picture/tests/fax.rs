//! TIFF files with fax, built bit by bit.

use super::{LIMITS, Measure, read};
use crate::picture::tiff;
use crate::recognition::Ocr;
use crate::{Media, Writer};
use socle_core::Kind;
use socle_core::document::OcrMode;
use socle_ocr::{Picture, Recognized, Recognizer};
use std::sync::{Arc, Mutex};

/// Rows of 64 pixels: a white one, and a black one.
const WHITE: &str = "1101100110101";
const BLACK: &str = "0011010100000011110000110111";
const END_OF_ROW: &str = "000000000001";
const ROWS: u32 = 96;

fn bytes(bits: &str) -> Vec<u8> {
    let byte = |bits: &[u8]| (0..8).fold(0, |byte, at| byte << 1 | u8::from(bits.get(at) == Some(&b'1')));
    bits.as_bytes().chunks(8).map(byte).collect()
}

/// A file of two strips with the same data, and with these entries beside the usual ones.
fn file(compression: u16, strip: &[u8], more: &[(u16, u32)]) -> Vec<u8> {
    let (first, second) = (8_u32, 8 + strip.len() as u32);
    let lists = second + strip.len() as u32;
    let mut entries = vec![
        (256, 4, 1, 64),
        (257, 4, 1, ROWS),
        (258, 3, 1, 1),
        (259, 3, 1, u32::from(compression)),
        (262, 3, 1, 0),
        (273, 4, 2, lists),
        (277, 3, 1, 1),
        (278, 4, 1, ROWS / 2),
        (279, 4, 2, lists + 8),
    ];
    entries.retain(|(tag, ..)| more.iter().all(|(other, _)| tag != other));
    entries.extend(more.iter().map(|(tag, value)| (*tag, 4, 1, *value)));
    entries.sort_unstable();
    let mut file = b"II*\0".to_vec();
    file.extend((lists + 16).to_le_bytes());
    file.extend([strip, strip].concat());
    [first, second, strip.len() as u32, strip.len() as u32].iter().for_each(|number| file.extend(number.to_le_bytes()));
    file.extend((entries.len() as u16).to_le_bytes());
    for (tag, kind, count, value) in entries {
        file.extend([u16::to_le_bytes(tag), u16::to_le_bytes(kind)].concat());
        file.extend([u32::to_le_bytes(count), u32::to_le_bytes(value)].concat());
    }
    file.extend([0; 4]);
    file
}

/// Keeps the picture.
#[derive(Default)]
struct Keep(Measure, Arc<Mutex<Vec<Picture>>>);

impl Recognizer for Keep {
    fn begin(&mut self, picture: Picture) -> socle_core::Result<()> {
        self.1.lock().unwrap().push(picture.clone());
        self.0.begin(picture)
    }

    fn finish(&mut self) -> socle_core::Result<Recognized> {
        self.0.finish()
    }
}

pub(super) fn decoded(file: &[u8]) -> Picture {
    all_decoded(file).remove(0)
}

/// The pages of a file.
pub(super) fn all_decoded(file: &[u8]) -> Vec<Picture> {
    let keep = Keep::default();
    let pictures = keep.1.clone();
    let mut writer = Writer::with_ocr(Media::Html, LIMITS, Ocr::new(OcrMode::Auto, Box::new(keep)));
    tiff::recognize(file, &mut writer).unwrap();
    std::mem::take(&mut *pictures.lock().unwrap())
}

/// The first pixel of each row of a strip, of which a third is black.
fn expected(black: u8, white: u8) -> Vec<u8> {
    (0..ROWS / 2).map(|row| if row % 3 == 2 { black } else { white }).collect()
}

fn strip(row: impl Fn(&str) -> String) -> String {
    (0..ROWS / 2).map(|number| row(if number % 3 == 2 { BLACK } else { WHITE })).collect()
}

#[test]
fn fax_of_group_3_and_without_marks_is_read() {
    let group_3 = bytes(&strip(|row| format!("{END_OF_ROW}{row}")));
    let aligned = strip(|row| format!("{row}{}", "0".repeat((8 - row.len() % 8) % 8)));
    let reversed: Vec<u8> = group_3.iter().map(|byte| byte.reverse_bits()).collect();
    // In two dimensions, a bit says that a row stands for itself; otherwise a bit says that it is as the one above.
    let two = bytes(&strip(|row| format!("{END_OF_ROW}1{row}")));
    for (file, (black, white)) in [
        (file(3, &group_3, &[]), (0, 255)),
        (file(3, &group_3, &[(262, 1)]), (255, 0)),
        (file(3, &reversed, &[(266, 2)]), (0, 255)),
        (file(3, &two, &[(292, 1)]), (0, 255)),
        (file(2, &bytes(&aligned), &[]), (0, 255)),
    ] {
        let picture = decoded(&file);
        let rows: Vec<u8> = picture.pixels.chunks(64).map(|row| row[0]).collect();
        assert_eq!(rows, [expected(black, white), expected(black, white)].concat());
        assert!(picture.pixels.chunks(64).all(|row| row.iter().all(|pixel| *pixel == row[0])));
    }
}

#[test]
fn fax_of_group_4_is_read_and_one_that_lacks_rows_is_damaged() {
    let white = [vec![0xff; 6], vec![0x00, 0x10, 0x01]].concat();
    assert!(decoded(&file(4, &white, &[])).pixels.iter().all(|pixel| *pixel == 255));
    let error = read(&file(4, &white[..3], &[]), OcrMode::Auto).unwrap_err();
    assert_eq!((error.kind, error.message.as_str()), (Kind::DamagedDocument, "TIFF image is damaged"));
    assert_eq!(error.detail.as_deref(), Some("It lacks 48 of its 96 rows."));
}

#[test]
fn a_compression_that_is_not_read_is_an_error_that_names_it() {
    for (method, name) in [(6, "JPEG of the old kind"), (34_712, "JPEG 2000"), (34_661, "JBIG"), (4_711, "method 4711")]
    {
        let error = read(&file(method, &[0; 100], &[]), OcrMode::Auto).unwrap_err();
        assert_eq!(error.message, format!("TIFF image is compressed by {name}, which cannot be read"));
        assert_eq!(error.kind, Kind::NotSupported);
        assert!(error.hint.unwrap().contains("PNG or PDF"));
    }
}
