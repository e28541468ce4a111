//! TIFF files with numbers of colours, with the lowest bit first, with planes, and with brightness apart from colours.

use super::fax::{all_decoded, decoded};
use super::read;
use socle_core::Kind;
use socle_core::document::OcrMode;
use socle_ocr::{Channels, Picture};
use std::io::Write;

const WIDTH: usize = 21;
const HEIGHT: usize = 10;
const LOWEST_FIRST: (u16, &[u16]) = (266, &[2]);

/// The tags of a page, and its strips.
type Page = (Vec<(u16, Vec<u16>)>, Vec<Vec<u8>>);
type Compress = fn(&[u8]) -> Vec<u8>;

/// A file of pages.
fn file(is_big_endian: bool, pages: &[Page]) -> Vec<u8> {
    let short =
        |number: usize| if is_big_endian { (number as u16).to_be_bytes() } else { (number as u16).to_le_bytes() };
    let long =
        |number: usize| if is_big_endian { (number as u32).to_be_bytes() } else { (number as u32).to_le_bytes() };
    let mut file = [if is_big_endian { *b"MM" } else { *b"II" }, short(42), [0; 2], [0; 2]].concat();
    let mut last = 4;
    for (tags, strips) in pages {
        let offsets: Vec<u16> = strips.iter().scan(file.len(), |at, strip| Some(replaced(at, strip) as u16)).collect();
        file.extend(strips.concat());
        let mut tags = tags.clone();
        tags.extend([(273, offsets), (279, strips.iter().map(|strip| strip.len() as u16).collect())]);
        tags.sort_unstable();
        let mut entries = short(tags.len()).to_vec();
        for (tag, values) in &tags {
            entries.extend([short(usize::from(*tag)), short(3)].concat());
            entries.extend(long(values.len()));
            let mut bytes: Vec<u8> = values.iter().flat_map(|value| short(usize::from(*value))).collect();
            bytes.resize(bytes.len().max(4), 0);
            entries.extend(if bytes.len() > 4 { long(file.len()).to_vec() } else { bytes.clone() });
            file.extend(if bytes.len() > 4 { bytes } else { Vec::new() });
        }
        let begin = long(file.len());
        file[last..last + 4].copy_from_slice(&begin);
        file.extend(entries);
        last = file.len();
        file.extend([0; 4]);
    }
    file
}

/// The place of a strip, after which the next one is.
fn replaced(at: &mut usize, strip: &[u8]) -> usize {
    std::mem::replace(at, *at + strip.len())
}

/// The number at a place, below `2^bits`.
fn number(bits: u16, x: usize, y: usize) -> u8 {
    ((x * x + 3 * y * x + y) % (1 << bits)) as u8
}

fn rows(bits: u16) -> Vec<u8> {
    let row = |y: usize| {
        let digits: String = (0..WIDTH)
            .map(|x| format!("{:0width$b}", number(bits, x, y), width = usize::from(bits)))
            .chain(["0".repeat(7)])
            .collect();
        let count = (WIDTH * usize::from(bits)).div_ceil(8);
        (0..count).map(|at| u8::from_str_radix(&digits[8 * at..8 * at + 8], 2).unwrap()).collect::<Vec<u8>>()
    };
    (0..HEIGHT).flat_map(row).collect()
}

fn map(bits: u16) -> Vec<u16> {
    (0..3 << bits).map(|at: u32| (at * 20_011 % 65_536) as u16).collect()
}

fn colours(bits: u16) -> Vec<u8> {
    let map = map(bits);
    let colour = |number: u8| [0, 1, 2].map(|plane| (map[(plane << bits) + usize::from(number)] >> 8) as u8);
    (0..HEIGHT).flat_map(|y| (0..WIDTH).flat_map(move |x| colour(number(bits, x, y)))).collect()
}

fn tags(bits: u16, interpretation: u16, compression: u16, more: &[(u16, &[u16])]) -> Vec<(u16, Vec<u16>)> {
    let usual = [
        (256, WIDTH as u16),
        (257, HEIGHT as u16),
        (258, bits),
        (259, compression),
        (262, interpretation),
        (278, HEIGHT as u16 / 2),
    ];
    let usual = usual.into_iter().filter(|(tag, _)| more.iter().all(|(other, _)| other != tag));
    usual
        .map(|(tag, value)| (tag, vec![value]))
        .chain(more.iter().map(|(tag, values)| (*tag, values.to_vec())))
        .collect()
}

/// Two strips, compressed.
fn strips(rows: &[u8], compress: Compress) -> Vec<Vec<u8>> {
    rows.chunks(rows.len() / 2).map(compress).collect()
}

fn with_palette(bits: u16) -> Page {
    (tags(bits, 3, 1, &[(320, &map(bits))]), strips(&rows(bits), <[u8]>::to_vec))
}

#[test]
fn pages_of_colours_with_numbers_are_read_among_others() {
    let grey: Page = (tags(8, 1, 1, &[]), strips(&rows(8), <[u8]>::to_vec));
    for bits in [1, 2, 4, 8] {
        for is_big_endian in [false, true] {
            let pages = [grey.clone(), with_palette(bits), grey.clone(), with_palette(8)];
            let found = all_decoded(&file(is_big_endian, &pages));
            let is_as = |picture: &Picture, channels, pixels: &[u8]| {
                (picture.width, picture.height, picture.channels) == (WIDTH as u32, HEIGHT as u32, channels)
                    && picture.pixels == pixels
            };
            assert_eq!(found.len(), 4);
            assert!(is_as(&found[0], Channels::Grey, &rows(8)) && is_as(&found[2], Channels::Grey, &rows(8)));
            assert!(is_as(&found[1], Channels::Rgb, &colours(bits)), "{bits} {is_big_endian}");
            assert!(is_as(&found[3], Channels::Rgb, &colours(8)), "{bits} {is_big_endian}");
        }
    }
}

#[test]
fn palettes_of_bytes_and_of_fax_and_samples_beside_the_numbers_are_read() {
    let bytes: Vec<u16> = map(4).iter().map(|value| value >> 8).collect();
    let page: Page = (tags(4, 3, 1, &[(320, &bytes)]), strips(&rows(4), <[u8]>::to_vec));
    assert_eq!(decoded(&file(false, &[page])).pixels, colours(4));
    // Rows of 64 pixels, all of them white, which is the number 0.
    let white = [vec![0xff; 6], vec![0x00, 0x10, 0x01]].concat();
    let map_of_two = [0x1000, 0x8000, 0x2000, 0x9000, 0x3000, 0xa000];
    let page: Page = (tags(1, 3, 4, &[(256, &[64]), (257, &[48]), (278, &[48]), (320, &map_of_two)]), vec![white]);
    assert!(decoded(&file(false, &[page])).pixels.chunks(3).all(|pixel| pixel == [0x10, 0x20, 0x30]));
    // A second sample that says nothing, and one that says that all is transparent.
    for (meaning, expected) in [(0, colours(8)), (2, vec![255; 3 * WIDTH * HEIGHT])] {
        let more: [(u16, &[u16]); 4] = [(258, &[8, 8]), (277, &[2]), (320, &map(8)), (338, &[meaning])];
        let pairs: Vec<u8> = rows(8).into_iter().flat_map(|number| [number, 0]).collect();
        let page: Page = (tags(8, 3, 1, &more), strips(&pairs, <[u8]>::to_vec));
        assert_eq!(decoded(&file(true, &[page])).pixels, expected, "{meaning}");
    }
}

#[test]
fn planes_are_put_together() {
    let planes = [[1, 2, 3, 4, 5], [10, 20, 30, 40, 50], [100, 110, 120, 130, 140]];
    let rows = |plane: [u8; 5]| strips(&plane.repeat(WIDTH * HEIGHT / 5), <[u8]>::to_vec);
    let more: [(u16, &[u16]); 3] = [(258, &[8, 8, 8]), (277, &[3]), (284, &[2])];
    let page: Page = (tags(8, 2, 1, &more), planes.into_iter().flat_map(rows).collect());
    let found = decoded(&file(false, &[page]));
    assert_eq!((found.channels, found.pixels.len()), (Channels::Rgb, 3 * WIDTH * HEIGHT));
    assert!(found.pixels.chunks(15).all(|five| five.starts_with(&[1, 10, 100, 2, 20, 110])));
}

#[test]
fn brightness_and_differences_of_colour_are_red_green_and_blue() {
    let more: [(u16, &[u16]); 3] = [(258, &[8, 8, 8]), (277, &[3]), (530, &[1, 1])];
    let row = |pixel: [u8; 3]| strips(&pixel.repeat(WIDTH * HEIGHT), <[u8]>::to_vec);
    for (pixel, colour) in [([255, 128, 128], [255; 3]), ([76, 85, 255], [254, 0, 0]), ([29, 255, 107], [0, 0, 254])] {
        let found = decoded(&file(false, &[(tags(8, 6, 1, &more), row(pixel))]));
        assert!(found.pixels.chunks(3).all(|found| found == colour), "{:?}", &found.pixels[..3]);
    }
}

fn packed(rows: &[u8]) -> Vec<u8> {
    rows.chunks(100).flat_map(|part| [&[part.len() as u8 - 1], part].concat()).collect()
}

fn deflated(rows: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(rows).unwrap();
    encoder.finish().unwrap()
}

/// With a code of nine bits that clears the table before each byte.
fn lzw(rows: &[u8]) -> Vec<u8> {
    let codes = rows.iter().flat_map(|byte| [256, u16::from(*byte)]).chain([257]);
    let digits: String = codes.map(|code| format!("{code:09b}")).chain(["0".repeat(7)]).collect();
    digits.as_bytes().chunks_exact(8).fold(Vec::new(), |mut bytes, byte| {
        bytes.push(byte.iter().fold(0, |byte, digit| byte << 1 | (digit - b'0')));
        bytes
    })
}

#[test]
fn the_lowest_bit_may_come_first_whatever_the_compression() {
    let methods: [(u16, Compress); 5] =
        [(1, <[u8]>::to_vec), (5, lzw), (8, deflated), (32_773, packed), (32_946, deflated)];
    for (method, compress) in methods {
        for bits in [1, 2, 4, 8] {
            let most = (1_u16 << bits) - 1;
            let grey = |(x, y): (usize, usize)| (u16::from(number(bits, x, y)) * 255 / most) as u8;
            let grey: Vec<u8> = (0..HEIGHT).flat_map(|y| (0..WIDTH).map(move |x| (x, y))).map(grey).collect();
            let usual = strips(&rows(bits), compress);
            let turned: Vec<Vec<u8>> =
                usual.iter().map(|strip| strip.iter().map(|byte| byte.reverse_bits()).collect()).collect();
            let pages: [Page; 4] = [
                (tags(bits, 1, method, &[LOWEST_FIRST]), turned.clone()),
                (tags(bits, 1, method, &[]), usual),
                (tags(bits, 3, method, &[LOWEST_FIRST, (320, &map(bits))]), turned.clone()),
                (tags(bits, 0, method, &[LOWEST_FIRST]), turned),
            ];
            let found = all_decoded(&file(false, &pages));
            assert!(found[0].pixels == grey && found[1].pixels == grey, "{method} {bits}");
            assert!(found[2].pixels == colours(bits), "{method} {bits}");
            assert!(found[3].pixels.iter().zip(&grey).all(|(one, other)| one + other == 255), "{method} {bits}");
        }
    }
}

#[test]
fn colours_that_are_missing_or_too_many_are_an_error_that_says_so() {
    let page: Page = (tags(8, 3, 1, &[]), strips(&rows(8), <[u8]>::to_vec));
    let error = read(&file(false, &[page]), OcrMode::Auto).unwrap_err();
    assert_eq!((error.kind, error.detail.as_deref()), (Kind::DamagedDocument, Some("It lacks its colours.")));
    for bits in [3, 16] {
        for interpretation in [1, 3] {
            let more: [(u16, &[u16]); 1] = [(320, &map(4))];
            let page: Page = (tags(bits, interpretation, 1, &more), vec![vec![1; 500]; 2]);
            let found = read(&file(false, &[page]), OcrMode::Auto);
            if (bits, interpretation) != (16, 1) {
                let error = found.unwrap_err();
                assert_eq!(error.message, "TIFF image has colours that cannot be read");
                assert_eq!((error.kind, error.hint.is_some()), (Kind::NotSupported, true));
            }
        }
    }
    // Grey and colours by numbers that were damaged anywhere: a picture or an error.
    let whole = file(true, &[with_palette(4), with_palette(1)]);
    for at in 4..whole.len() {
        for change in [0x01, 0x80, 0xff] {
            let mut damaged = whole.clone();
            damaged[at] ^= change;
            let _ = read(&damaged, OcrMode::Auto);
        }
    }
}
