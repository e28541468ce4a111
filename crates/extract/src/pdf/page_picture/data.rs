//! The data of a picture: through which filters they go, and whether there are enough of them.

use super::{Condition, LEAST_PIXELS, MAX_BYTES, ccitt, components, is_loss, jbig2, jpeg_2000};
use crate::picture::jpeg;
use flate2::{Decompress, FlushDecompress, Status};
use hayro_syntax::Filter;
use hayro_syntax::object::{Dict, Name, Object, Stream};
use hayro_syntax::page::Resources;
use std::borrow::Cow;

/// The size of a picture as its dictionary states it.
pub(super) struct Layout {
    pub(super) width: u32,
    pub(super) height: u32,
    pub(super) components: u32,
    /// Bits of a component.
    pub(super) bits: u32,
}

impl Layout {
    /// That of a picture.
    pub(super) fn of(dict: &Dict<'_>, resources: &Resources<'_>) -> Self {
        let layout = Self::of_mask(dict);
        if is_stencil(dict) {
            return layout;
        }
        Self { components: components(entry(dict, "CS", "ColorSpace"), resources, 0), ..layout }
    }

    /// That of a mask, which has one component.
    pub(super) fn of_mask(dict: &Dict<'_>) -> Self {
        let number = |short: &str, long: &str| match entry(dict, short, long) {
            Some(Object::Number(number)) => u32::try_from(number.as_i64()).ok(),
            _ => None,
        };
        Self {
            width: number("W", "Width").unwrap_or_default(),
            height: number("H", "Height").unwrap_or_default(),
            components: 1,
            bits: number("BPC", "BitsPerComponent").unwrap_or(if is_stencil(dict) { 1 } else { 8 }),
        }
    }

    fn pixels(&self) -> u64 {
        u64::from(self.width) * u64::from(self.height)
    }

    /// Bytes of a row.
    fn row(&self) -> u64 {
        (u64::from(self.width) * u64::from(self.components) * u64::from(self.bits)).div_ceil(8).max(1)
    }

    /// Whether a picture of which only so many bytes are there lacks a part of its rows, or has samples of a size that there
    /// is none of.
    fn lacks(&self, bytes: u64, row: u64) -> bool {
        if !(1..=16).contains(&self.bits) {
            return true;
        }
        let rows = bytes.div_ceil(row).min(u64::from(self.height)) as u32;
        is_loss(self.height - rows, self.height)
    }
}

/// An entry under the short name that inline pictures use, or under its full name.
fn entry<'a>(dict: &Dict<'a>, short: &str, long: &str) -> Option<Object<'a>> {
    dict.get::<Object<'a>>(short).or_else(|| dict.get::<Object<'a>>(long))
}

/// Whether a picture is a mask that colour is poured through.
fn is_stencil(dict: &Dict<'_>) -> bool {
    matches!(entry(dict, "IM", "ImageMask"), Some(Object::Boolean(true)))
}

/// The condition of a picture.
pub(super) fn condition(stream: &Stream<'_>, layout: &Layout) -> Condition {
    if layout.width == 0 || layout.height == 0 {
        return Condition::Damaged;
    }
    if layout.pixels() < LEAST_PIXELS {
        return Condition::Whole;
    }
    if layout.pixels().saturating_mul(u64::from(layout.components)) > MAX_BYTES {
        return Condition::TooLarge;
    }
    let (filters, dict) = (stream.filters(), stream.dict());
    if filters.len() < named(dict) {
        return Condition::Damaged;
    }
    let Some((last, before)) = filters.split_last() else { return decoded(stream, layout) };
    let raw = stream.raw_data();
    let Some(bytes) =
        before.iter().enumerate().try_fold(raw, |bytes, (at, filter)| unpacked(&bytes, *filter, at, dict))
    else {
        return decoded(stream, layout);
    };
    let parameters = parameters(dict, before.len());
    match last {
        Filter::FlateDecode => flate(&bytes, layout, &parameters),
        Filter::DctDecode => of(jpeg::is_whole(&bytes, Some((layout.width, layout.height)))),
        Filter::JpxDecode => jpeg_2000::condition(&bytes),
        Filter::Jbig2Decode => jbig2::condition(&bytes, &parameters),
        Filter::CcittFaxDecode => ccitt::condition(&bytes, layout, &parameters),
        _ => decoded(stream, layout),
    }
}

pub(super) fn of(is_whole: bool) -> Condition {
    if is_whole { Condition::Whole } else { Condition::Damaged }
}

/// The number of filters that a dictionary names, known or not.
fn named(dict: &Dict<'_>) -> usize {
    match entry(dict, "F", "Filter") {
        Some(Object::Name(_)) => 1,
        Some(Object::Array(names)) => names.iter::<Name<'_>>().count(),
        _ => 0,
    }
}

/// The parameters of a filter by its place.
fn parameters<'a>(dict: &Dict<'a>, at: usize) -> Dict<'a> {
    let found = match entry(dict, "DP", "DecodeParms") {
        Some(Object::Dict(parameters)) => Some(parameters),
        Some(Object::Array(all)) => match all.iter::<Object<'a>>().nth(at) {
            Some(Object::Dict(parameters)) => Some(parameters),
            _ => None,
        },
        _ => None,
    };
    found.unwrap_or_default()
}

/// Undoes a filter that others are around, as far as that is simple.
fn unpacked<'a>(bytes: &[u8], filter: Filter, at: usize, dict: &Dict<'_>) -> Option<Cow<'a, [u8]>> {
    match filter {
        Filter::Crypt if at == 0 => Some(Cow::Owned(bytes.to_vec())),
        Filter::FlateDecode if parameters(dict, at).get::<i64>("Predictor").is_none_or(|kind| kind == 1) => {
            let mut unpacked = Vec::new();
            measure(bytes, |part| unpacked.extend_from_slice(part));
            Some(Cow::Owned(unpacked))
        }
        Filter::AsciiHexDecode => {
            let digits = bytes.iter().take_while(|byte| **byte != b'>').filter(|byte| byte.is_ascii_hexdigit());
            let digits: Vec<u8> = digits.filter_map(|byte| char::from(*byte).to_digit(16)).map(|n| n as u8).collect();
            Some(Cow::Owned(digits.chunks(2).map(|pair| pair[0] << 4 | pair.get(1).unwrap_or(&0)).collect()))
        }
        Filter::Ascii85Decode => Some(Cow::Owned(ascii_85(bytes))),
        _ => None,
    }
}

/// Decodes Ascii85, up to what is none.
fn ascii_85(bytes: &[u8]) -> Vec<u8> {
    let (mut decoded, mut group) = (Vec::with_capacity(bytes.len() / 5 * 4), Vec::with_capacity(5));
    let mut flush = |group: &mut Vec<u8>| {
        let length = group.len().saturating_sub(1);
        group.resize(5, b'u');
        let value = group
            .iter()
            .fold(0_u32, |value, digit| value.wrapping_mul(85).wrapping_add(u32::from(*digit) - u32::from(b'!')));
        decoded.extend_from_slice(value.to_be_bytes().get(..length).unwrap_or_default());
        group.clear();
    };
    for byte in bytes.iter().filter(|byte| !byte.is_ascii_whitespace() && **byte != 0) {
        match byte {
            b'!'..=b'u' => group.push(*byte),
            b'z' if group.is_empty() => group.extend_from_slice(b"!!!!!"),
            _ => break,
        }
        if group.len() == 5 {
            flush(&mut group);
        }
    }
    if !group.is_empty() {
        flush(&mut group);
    }
    decoded
}

/// Data that the library decodes with all of its filters.
fn decoded(stream: &Stream<'_>, layout: &Layout) -> Condition {
    match stream.decoded() {
        Ok(bytes) => of(!layout.lacks(bytes.len() as u64, layout.row())),
        Err(_) => Condition::Damaged,
    }
}

fn flate(bytes: &[u8], layout: &Layout, parameters: &Dict<'_>) -> Condition {
    let (length, is_sound) = measure(bytes, |_| {});
    // A filter of PNG puts a byte before each row.
    let is_png = parameters.get::<i64>("Predictor").is_some_and(|kind| kind >= 10);
    match length {
        length if length > MAX_BYTES => Condition::TooLarge,
        length => of(is_sound && !layout.lacks(length, layout.row() + u64::from(is_png))),
    }
}

/// Decompresses Deflate, with its head or without, up to the first error. Returns the number of bytes, or more than
/// [`MAX_BYTES`], and whether nothing speaks against them: a checksum that is not that of the data says that something in the
/// middle is another than it was. One that is not there, or is zero, says nothing.
fn measure(packed: &[u8], mut sink: impl FnMut(&[u8])) -> (u64, bool) {
    let has_head = matches!(packed, [method, flags, ..]
        if method & 15 == 8 && (u16::from(*method) << 8 | u16::from(*flags)) % 31 == 0);
    let packed = packed.get(if has_head { 2 } else { 0 }..).unwrap_or_default();
    let mut unpacked = Decompress::new(false);
    let mut checksum = Adler32::default();
    let mut buffer = vec![0; 64 * 1024];
    while unpacked.total_out() <= MAX_BYTES {
        let (read, written) = (unpacked.total_in(), unpacked.total_out());
        let rest = packed.get(read as usize..).unwrap_or_default();
        let status = unpacked.decompress(rest, &mut buffer, FlushDecompress::None);
        let new = (unpacked.total_out() - written) as usize;
        let new = buffer.get(..new).unwrap_or_default();
        checksum.add(new);
        sink(new);
        if matches!(status, Ok(Status::StreamEnd)) {
            let stored = packed.get(unpacked.total_in() as usize..).and_then(<[u8]>::first_chunk);
            let stored = stored.map(|bytes| u32::from_be_bytes(*bytes)).filter(|stored| has_head && *stored != 0);
            return (unpacked.total_out(), stored.is_none_or(|stored| stored == checksum.value()));
        }
        if (unpacked.total_in() == read && new.is_empty()) || status.is_err() {
            break;
        }
    }
    (unpacked.total_out(), true)
}

/// The checksum at the end of Deflate with a head: RFC 1950, section 8.2.
struct Adler32 {
    a: u32,
    b: u32,
}

impl Default for Adler32 {
    fn default() -> Self {
        Self { a: 1, b: 0 }
    }
}

impl Adler32 {
    const MODULUS: u32 = 65_521;
    /// Bytes that can be added before a sum has to be reduced.
    const STEP: usize = 5_552;

    fn add(&mut self, bytes: &[u8]) {
        for part in bytes.chunks(Self::STEP) {
            for byte in part {
                self.a += u32::from(*byte);
                self.b += self.a;
            }
            self.a %= Self::MODULUS;
            self.b %= Self::MODULUS;
        }
    }

    fn value(&self) -> u32 {
        self.b << 16 | self.a
    }
}
