//! Pictures of all formats, and pictures that were made to do harm.

mod fax;
mod palette;
mod part;
mod place;

use super::*;
use crate::recognition::Ocr;
use crate::{Limits, extract_with_ocr};
use ::tiff::encoder::{TiffEncoder, colortype};
use image::{DynamicImage, GrayImage, ImageFormat};
use socle_core::document::{Document, OcrMode};
use socle_ocr::{Channels, Recognized, Recognizer, Word};
use std::collections::VecDeque;
use std::io::Cursor;

const LIMITS: Limits = Limits { output: 1 << 20, unpacked: 1 << 26, depth: 4 };

/// Says how large each picture is.
#[derive(Default)]
struct Measure(VecDeque<Picture>);

impl Recognizer for Measure {
    fn begin(&mut self, picture: Picture) -> Result<()> {
        self.0.push_back(picture);
        Ok(())
    }

    fn finish(&mut self) -> Result<Recognized> {
        let picture = self.0.pop_front().unwrap();
        let text = format!("{}x{}", picture.width, picture.height);
        let quad = [(10.0, 10.0), (110.0, 10.0), (110.0, 30.0), (10.0, 30.0)];
        Ok(Recognized { words: vec![Word { text, quad, confidence: 0.5, line: 0 }], ..Recognized::default() })
    }
}

fn read(bytes: &[u8], mode: OcrMode) -> Result<Document> {
    extract_with_ocr(bytes, None, None, LIMITS, Ocr::new(mode, Box::new(Measure::default())))
}

/// A light picture with a dark line, in a format of `image`.
fn picture(width: u32, height: u32, format: ImageFormat) -> Vec<u8> {
    let grey = GrayImage::from_fn(width, height, |x, y| {
        image::Luma([if (12..28).contains(&y) && (10..110).contains(&x) && x % 7 > 2 { 20 } else { 240 }])
    });
    let mut bytes = Cursor::new(Vec::new());
    DynamicImage::ImageRgb8(DynamicImage::ImageLuma8(grey).into_rgb8()).write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

fn tiff(sizes: &[(u32, u32)]) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    let mut encoder = TiffEncoder::new(&mut bytes).unwrap();
    for (width, height) in sizes {
        let pixels = vec![200_u8; (width * height) as usize];
        encoder.write_image::<colortype::Gray8>(*width, *height, &pixels).unwrap();
    }
    bytes.into_inner()
}

#[test]
fn pictures_of_all_formats_are_recognised() {
    let formats = [
        (ImageFormat::Png, "image/png"),
        (ImageFormat::Jpeg, "image/jpeg"),
        (ImageFormat::Gif, "image/gif"),
        (ImageFormat::Bmp, "image/bmp"),
        (ImageFormat::WebP, "image/webp"),
    ];
    for (format, media_type) in formats {
        let document = read(&picture(300, 200, format), OcrMode::Auto).unwrap();
        assert_eq!((document.markdown.as_str(), document.metadata.media_type.as_str()), ("300x200", media_type));
        assert_eq!(document.metadata.recognized.len(), 1);
        assert!(document.metadata.recognized[0].is_unsure());
    }
}

/// As [`picture`] of 300 by 200, as JPEG 2000: grey with its container, and red, green and blue without.
const JPEG_2000: [&[u8]; 2] =
    [include_bytes!("../../tests/files/picture/line.jp2"), include_bytes!("../../tests/files/picture/line.j2k")];

#[test]
fn jpeg_2000_is_recognised() {
    for (bytes, channels) in JPEG_2000.into_iter().zip([Channels::Grey, Channels::Rgb]) {
        let document = read(bytes, OcrMode::Auto).unwrap();
        assert_eq!((document.markdown.as_str(), document.metadata.media_type.as_str()), ("300x200", "image/jp2"));
        let decoded = decode::picture(bytes, Format::Jpeg2000).unwrap();
        assert_eq!(decoded.channels, channels);
        let at = |x: usize, y: usize| decoded.pixels[(y * 300 + x) * channels.bytes()];
        assert_eq!((at(11, 5), at(13, 20)), (240, 20));
    }
}

#[test]
fn a_jpeg_whose_data_are_damaged_is_refused_and_a_picture_that_looks_like_one_is_not() {
    let lines = |x: u32, y: u32| if y % 40 < 16 && (x * 31 + y * 17) % 23 < 9 { 20 } else { 240 };
    let jpeg = |pixel: &dyn Fn(u32, u32) -> u8| {
        let grey = GrayImage::from_fn(600, 800, |x, y| image::Luma([pixel(x, y)]));
        let mut bytes = Cursor::new(Vec::new());
        DynamicImage::ImageRgb8(DynamicImage::ImageLuma8(grey).into_rgb8())
            .write_to(&mut bytes, ImageFormat::Jpeg)
            .unwrap();
        bytes.into_inner()
    };
    let whole = jpeg(&lines);
    let middle = whole.len() / 2;
    let mut noise = whole.clone();
    let mut state = 7_u32;
    noise[middle / 2..middle].iter_mut().for_each(|byte| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        *byte = (state >> 24) as u8;
    });
    // Ended in the middle, or of half of its height, so that data are left over.
    let [ended, nearly] = [middle, whole.len() - 12].map(|length| [&whole[..length], b"\xff\xd9"].concat());
    let mut lower = whole.clone();
    let frame = whole.windows(2).position(|pair| pair == [0xff, 0xc0]).unwrap();
    lower[frame + 5..frame + 7].copy_from_slice(&400_u16.to_be_bytes());
    for damaged in [noise, ended, lower] {
        let error = read(&damaged, OcrMode::Auto).unwrap_err();
        assert_eq!((error.kind, error.message.as_str()), (Kind::DamagedDocument, "JPEG image is damaged"));
    }
    // The last bytes may be missing.
    for filling in [0, 128] {
        let footer = jpeg(&|x, y| if y < 640 { lines(x, y) } else { filling });
        for sound in [&whole, &nearly, &footer] {
            assert_eq!(read(sound, OcrMode::Auto).unwrap().markdown, "600x800");
        }
    }
}

/// The metadata of a camera with this orientation.
fn exif(orientation: u8) -> Vec<u8> {
    [b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0", &[orientation, 0, 0, 0, 0, 0, 0, 0][..]].concat()
}

#[test]
fn all_eight_orientations_of_a_camera_are_undone() {
    for (encoder, format) in [(ImageFormat::Jpeg, Format::Jpeg), (ImageFormat::Png, Format::Png)] {
        let stored = picture(120, 80, encoder);
        let plain = decode::picture(&stored, format).unwrap();
        for orientation in 1..=8 {
            let exif = exif(orientation);
            let (place, segment) = if format == Format::Jpeg {
                let length = (exif.len() + 8) as u16;
                (2, [&[0xff, 0xe1], &length.to_be_bytes()[..], b"Exif\0\0", &exif].concat())
            } else {
                let mut crc = flate2::Crc::new();
                let chunk = [b"eXIf", &exif[..]].concat();
                crc.update(&chunk);
                (33, [&(exif.len() as u32).to_be_bytes()[..], &chunk, &crc.sum().to_be_bytes()].concat())
            };
            let bytes = [&stored[..place], &segment, &stored[place..]].concat();
            let seen = decode::picture(&bytes, format).unwrap();
            assert!(seen == orientation::upright(plain.clone(), Some(orientation.into())), "{format:?} {orientation}");
        }
    }
}

#[test]
fn of_an_animation_the_first_picture_is_read() {
    let mut bytes = Vec::new();
    let mut encoder = image::codecs::gif::GifEncoder::new(&mut bytes);
    for side in [300, 200] {
        let mut frame = image::RgbaImage::from_pixel(300, 200, image::Rgba([240, 240, 240, 255]));
        frame.put_pixel(side - 1, 1, image::Rgba([0, 0, 0, 255]));
        encoder.encode_frame(image::Frame::new(frame)).unwrap();
    }
    drop(encoder);
    let document = read(&bytes, OcrMode::Auto).unwrap();
    assert_eq!((document.markdown.as_str(), document.metadata.recognized.len()), ("300x200", 1));
}

#[test]
fn pictures_of_other_formats_are_an_error_that_names_the_format_and_what_to_do() {
    for (brand, name) in [("heic", "HEIF image"), ("mif1", "HEIF image"), ("avif", "AVIF image")] {
        let bytes = format!("\0\0\0\x18ftyp{brand}\0\0\0\0mif1{}", "\0".repeat(100));
        let error = read(bytes.as_bytes(), OcrMode::Auto).unwrap_err();
        assert_eq!(error.message, format!("{name} cannot be read"));
        assert_eq!(error.hint.as_deref(), Some("Save it as PNG, JPEG or PDF."));
    }
}

#[test]
fn each_page_of_a_tiff_is_a_page() {
    let document = read(&tiff(&[(300, 200), (400, 100), (250, 250)]), OcrMode::Auto).unwrap();
    let pages: Vec<(Option<u32>, &str)> =
        document.blocks.iter().map(|block| (block.page, &document.markdown[block.start..block.end])).collect();
    assert_eq!(pages, [(Some(1), "300x200"), (Some(2), "400x100"), (Some(3), "250x250")]);
    assert_eq!(document.metadata.page_count, Some(3));
    assert_eq!(document.metadata.recognized.iter().map(|read| read.page).collect::<Vec<_>>(), [1, 2, 3].map(Some));
}

#[test]
fn pictures_that_were_made_to_do_harm_cost_one_error() {
    let wide = |width: u32, height: u32| {
        // Only the head of a PNG is needed to refuse it; its checksum is right.
        let mut head = b"IHDR".to_vec();
        head.extend(width.to_be_bytes());
        head.extend(height.to_be_bytes());
        head.extend([8, 0, 0, 0, 0]);
        let mut crc = flate2::Crc::new();
        crc.update(&head);
        let mut png = b"\x89PNG\r\n\x1a\n\0\0\0\r".to_vec();
        png.extend(head);
        png.extend(crc.sum().to_be_bytes());
        png.extend(b"\0\0\0\x04IDAT\0\0\0\0\0\0\0\0");
        png
    };
    for (bytes, kind) in [
        (wide(65_000, 65_000), Kind::InputTooLong),
        (wide(65_000, 10), Kind::InputTooLong),
        (wide(0, 10), Kind::DamagedDocument),
        (b"\xff\xd8\xff\xe0nothing of a picture follows here".to_vec(), Kind::DamagedDocument),
        (b"GIF89a\xff\xff\xff\xff\x80\0\0".to_vec(), Kind::InputTooLong),
        (b"GIF89a\x01\0\x01\0\x80\0\0".to_vec(), Kind::DamagedDocument),
        (b"II*\0\x08\0\0\0\x01\0".to_vec(), Kind::DamagedDocument),
        // A canvas of 16 million pixels by 16 million.
        (b"RIFF\xff\xff\xff\xffWEBPVP8X\x0a\0\0\0\0\0\0\0\xff\xff\xff\xff\xff\xff".to_vec(), Kind::InputTooLong),
        // 60,000 pixels by 60,000.
        (
            [b"BM\0\0\0\0\0\0\0\0\x36\0\0\0\x28\0\0\0\x60\xea\0\0\x60\xea\0\0\x01\0\x18", &[0; 26][..]].concat(),
            Kind::InputTooLong,
        ),
        (b"RIFF\xff\xff\xff\xffWEBPVP8L\xff\xff\xff\xff/\xff\xff\xff\xff".to_vec(), Kind::InputTooLong),
    ] {
        let error = read(&bytes, OcrMode::Auto).unwrap_err();
        assert_eq!(error.kind, kind, "{error:?}");
        assert!(error.hint.is_some(), "{error:?}");
    }
    let formats = [ImageFormat::Png, ImageFormat::Jpeg, ImageFormat::Gif, ImageFormat::Bmp, ImageFormat::WebP];
    for whole in formats
        .map(|format| picture(300, 200, format))
        .into_iter()
        .chain([tiff(&[(300, 200), (300, 200)])])
        .chain(JPEG_2000.map(<[u8]>::to_vec))
    {
        let half = read(&whole[..whole.len() / 2], OcrMode::Auto).map(|document| document.markdown);
        assert_eq!(half.unwrap_err().kind, Kind::DamagedDocument, "{:?}", &whole[..4]);
        for length in (20..whole.len()).step_by(whole.len() / 40 + 1) {
            // No panic: a part of a picture, or an error.
            let _ = read(&whole[..length], OcrMode::Auto);
            let mut damaged = whole.clone();
            damaged[length] ^= 0x55;
            let _ = read(&damaged, OcrMode::Auto);
        }
    }
}

#[test]
fn a_tiff_whose_pages_go_round_in_a_circle_ends() {
    let mut bytes = tiff(&[(20, 20), (20, 20)]);
    // The last offset of a next page is that of the first page then.
    let first = u32::from_le_bytes(bytes[4..8].try_into().unwrap()) as usize;
    let entries = |at: usize| u16::from_le_bytes(bytes[at..at + 2].try_into().unwrap()) as usize;
    let end = |at: usize| at + 2 + 12 * entries(at);
    let second = u32::from_le_bytes(bytes[end(first)..end(first) + 4].try_into().unwrap()) as usize;
    let last = end(second);
    bytes[last..last + 4].copy_from_slice(&(first as u32).to_le_bytes());
    let error = read(&bytes, OcrMode::Auto).unwrap_err();
    assert!(matches!(error.kind, Kind::DamagedDocument | Kind::InputTooLong), "{error:?}");
}

/// An HTML page with a text and a picture in it.
fn page(text: &str, width: u32, height: u32) -> Vec<u8> {
    let picture = crate::base64::encode(&picture(width, height, ImageFormat::Png));
    format!("<!doctype html><p>{text}<p><img src=\"data:image/png;base64,{picture}\">").into_bytes()
}

#[test]
fn pictures_in_documents_are_recognised_where_they_hold_the_text() {
    let long = "These are some words of text that a page has beside its picture. ".repeat(4);
    let markdown = |html: Vec<u8>, mode| read(&html, mode).unwrap().markdown;
    assert_eq!(markdown(page("Scan:", 800, 300), OcrMode::Auto), "Scan:\n\n800x300");
    // Too small, or not needed.
    assert_eq!(markdown(page("Logo:", 120, 80), OcrMode::Auto), "Logo:");
    assert!(!markdown(page(&long, 800, 300), OcrMode::Auto).contains("800x300"));
    assert!(markdown(page(&long, 120, 80), OcrMode::Always).ends_with("120x80"));
    assert!(!markdown(page(&long, 20, 10), OcrMode::Always).contains("20x10"));
}

#[test]
fn a_picture_inside_of_a_document_that_is_damaged_of_another_format_or_one_too_many_is_counted() {
    let mut whole = picture(800, 300, ImageFormat::Png);
    let (address, rest) = ("<img src=\"data:image/png;base64,", "\">");
    let complete = crate::base64::encode(&whole);
    whole.truncate(whole.len() / 2);
    let damaged = crate::base64::encode(&whole);
    let html = format!("<!doctype html><p>Scan:<p>{address}{damaged}{rest}<p>{address}{complete}{rest}<p>End.");
    let document = read(html.as_bytes(), OcrMode::Auto).unwrap();
    assert_eq!(document.markdown, "Scan:\n\n800x300\n\nEnd.");
    assert_eq!(document.metadata.unread_pictures, Some(1));
    // A format that web pages do not have, and more pictures than are read.
    let tiff = crate::base64::encode(&tiff(&[(800, 300)]));
    let html = format!("<!doctype html><p>Scan:<p>{address}{tiff}{rest}<p>End.");
    assert_eq!(read(html.as_bytes(), OcrMode::Auto).unwrap().metadata.unread_pictures, Some(1));
    let many: String = (0..MAX_PICTURES + 3).map(|at| format!("<img src=\"data:image/png;base64,{at:04}\">")).collect();
    let html = format!("<!doctype html><p>Scan:{many}");
    assert_eq!(read(html.as_bytes(), OcrMode::Auto).unwrap().metadata.unread_pictures, Some(3));
}

#[test]
fn a_document_with_nothing_but_damaged_pictures_is_an_error_that_says_so() {
    let mut half = picture(800, 300, ImageFormat::Png);
    half.truncate(half.len() / 2);
    // Nothing tells that these bytes were a picture.
    let noise: Vec<u8> = (0..500_u32).map(|at| (at * at * 7 + 131) as u8).collect();
    let html = |bytes: &[u8]| {
        format!("<!doctype html><img src=\"data:image/png;base64,{}\">", crate::base64::encode(bytes)).into_bytes()
    };
    let docx = |bytes: &[u8]| place::document_of_picture(bytes);
    for file in [html(&half), html(&noise), docx(&half), docx(&noise)] {
        let error = read(&file, OcrMode::Auto).unwrap_err();
        assert_eq!(error.message, "document has no text: a picture in it cannot be decoded");
        assert_eq!((error.kind, error.hint.is_some()), (Kind::DamagedDocument, true));
    }
    // Drawings are no pictures that text is recognised in.
    let drawing = format!("<svg xmlns=\"http://www.w3.org/2000/svg\">{}</svg>", " ".repeat(100));
    // What was not looked at is not said to have no text.
    let rtf = br"{\rtf1{\pict\pngblip 89504e47}\par}";
    for file in [html(drawing.as_bytes()), rtf.to_vec(), html(&picture(100, 100, ImageFormat::Png))] {
        let error = read(&file, OcrMode::Auto).unwrap_err();
        assert_eq!(error.message, "document has no text, and none of its pictures is one that is recognized");
        assert_eq!((error.kind, error.hint.is_some()), (Kind::NotSupported, true));
    }
}

#[test]
fn a_damaged_picture_attached_to_a_mail_is_counted_and_named() {
    let mut half = picture(800, 300, ImageFormat::Jpeg);
    half.truncate(half.len() / 2);
    let packed = crate::base64::encode(&half);
    let mail = format!(
        "From: a@b.c\nSubject: Scan\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=x\n\n--x\n\
         Content-Type: text/plain\n\nSee the scan.\n--x\nContent-Type: image/jpeg; name=\"a.jpg\"\n\
         Content-Transfer-Encoding: base64\n\n{packed}\n--x--\n"
    );
    let document = read(mail.as_bytes(), OcrMode::Auto).unwrap();
    assert!(document.markdown.contains("attachment a.jpg: JPEG image is damaged"), "{}", document.markdown);
    assert_eq!(document.metadata.unread_pictures, Some(1));
}

#[test]
fn a_picture_attached_to_a_mail_is_part_of_it() {
    let packed = crate::base64::encode(&picture(800, 300, ImageFormat::Jpeg));
    let mail = format!(
        "From: a@b.c\nSubject: Scan\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=x\n\n--x\n\
         Content-Type: text/plain\n\n\n--x\nContent-Type: image/jpeg; name=\"a.jpg\"\n\
         Content-Transfer-Encoding: base64\n\n{packed}\n--x--\n"
    );
    let document = read(mail.as_bytes(), OcrMode::Auto).unwrap();
    assert_eq!(document.markdown, "# Scan\n\nFrom: a@b.c\n\n## a.jpg\n\n800x300");
    assert_eq!((document.metadata.pages_without_text, document.metadata.recognized.len()), (None, 1));
}

/// As [`Measure`], as surely as it is told.
struct Sure(Measure, f32);

impl Recognizer for Sure {
    fn begin(&mut self, picture: Picture) -> Result<()> {
        self.0.begin(picture)
    }

    fn finish(&mut self) -> Result<Recognized> {
        let mut read = self.0.finish()?;
        read.words[0].confidence = self.1;
        Ok(read)
    }
}

#[test]
fn a_stamp_over_text_is_read_apart_and_comes_last_or_is_counted() {
    // Rows of letters, and over them a frame of red.
    let pixel = |x: u32, y: u32| {
        let is_letter = (100..300).contains(&y) && y % 20 < 9 && x % 12 < 3;
        let is_inside = |edge: u32| (200 + edge..400 - edge).contains(&x) && (150 + edge..250 - edge).contains(&y);
        image::Rgb(match (is_letter, is_inside(0) && !is_inside(6)) {
            (false, false) => [250, 250, 250],
            (true, false) => [10, 10, 10],
            (false, true) => [229, 145, 149],
            (true, true) => [60, 30, 30],
        })
    };
    let mut png = Cursor::new(Vec::new());
    DynamicImage::ImageRgb8(image::RgbImage::from_fn(600, 400, pixel)).write_to(&mut png, ImageFormat::Png).unwrap();
    let read = |confidence| {
        let recognizer = Sure(Measure::default(), confidence);
        extract_with_ocr(png.get_ref(), None, None, LIMITS, Ocr::new(OcrMode::Auto, Box::new(recognizer))).unwrap()
    };
    let unread = |document: &Document| document.metadata.recognized[0].unread_stamps;
    let (sure, signature) = (read(0.9), read(0.6));
    assert_eq!((sure.markdown.as_str(), unread(&sure)), ("600x400\n\n216x128", 0));
    assert_eq!((signature.markdown.as_str(), unread(&signature)), ("600x400", 1));
}

#[test]
fn netpbm_is_recognised_with_all_its_kinds() {
    let (width, height) = (300_usize, 200_usize);
    let all = width * height;
    let plain = |head: &str, sample: &str, samples: usize| [head, &sample.repeat(samples)].concat().into_bytes();
    let binary = |head: &str, sample: &[u8], samples: usize| [head.as_bytes(), &sample.repeat(samples)].concat();
    let pam = "P7\nWIDTH 300\nHEIGHT 200\nDEPTH 1\nMAXVAL 255\nTUPLTYPE GRAYSCALE\nENDHDR\n";
    for (bytes, grey) in [
        (plain("P1\n# made here\n300 200\n", "0 ", all), 255),
        (plain("P2 300 200 15 ", "15 ", all), 255),
        (plain("P3 300 200 255\n", "20 20 20\n", all), 20),
        (binary("P4\n300 200\n", &[0], width.div_ceil(8) * height), 255),
        (binary("P5\n300 200\n255\n", &[240], all), 240),
        (binary("P5\n300 200\n65535\n", &[0x80, 0], all), 128),
        (binary("P6\n300 200\n255\n", &[100, 100, 100], all), 100),
        (binary(pam, &[240], all), 240),
    ] {
        let document = read(&bytes, OcrMode::Auto).unwrap();
        let media_type = document.metadata.media_type.as_str();
        assert_eq!((document.markdown.as_str(), media_type), ("300x200", "image/x-portable-anymap"));
        assert_eq!(decode::picture(&bytes, Format::Netpbm).unwrap().pixels.first(), Some(&grey));
    }
    let cut = binary("P5\n300 200\n255\n", &[240], all / 2);
    let error = read(&cut, OcrMode::Auto).unwrap_err();
    assert_eq!((error.kind, error.message.as_str()), (Kind::DamagedDocument, "Netpbm image is damaged"));
    let large = read(&binary("P5\n65000 65000\n255\n", &[240], 100), OcrMode::Auto).unwrap_err();
    assert_eq!(large.kind, Kind::InputTooLong);
    let error = crate::extract(&cut, None, None, LIMITS).unwrap_err();
    assert_eq!((error.kind, error.message.as_str()), (Kind::NotSupported, "Netpbm image cannot be read"));
}

/// May not recognise anything.
struct Refused;

impl Recognizer for Refused {
    fn begin(&mut self, _picture: Picture) -> Result<()> {
        Err(Error::new(Kind::NotPermitted, "not for you"))
    }

    fn finish(&mut self) -> Result<Recognized> {
        Err(Error::new(Kind::Bug, "nothing was begun"))
    }
}

#[test]
fn what_fails_for_a_picture_in_a_mail_fails_for_the_mail_and_is_no_text_of_it() {
    let packed = crate::base64::encode(&picture(800, 300, ImageFormat::Jpeg));
    let mail = format!(
        "From: a@b.c\nSubject: Scan\nMIME-Version: 1.0\nContent-Type: image/jpeg; name=\"a.jpg\"\n\
         Content-Transfer-Encoding: base64\n\n{packed}\n"
    );
    let ocr = Ocr::new(OcrMode::Auto, Box::new(Refused));
    let error = extract_with_ocr(mail.as_bytes(), None, None, LIMITS, ocr).unwrap_err();
    assert_eq!((error.kind, error.message.as_str()), (Kind::NotPermitted, "not for you"));
}
