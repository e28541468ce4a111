//! Records of old workbooks (BIFF 5 and 8) and the strings in them. Lengths are not trusted: data beyond the end reads
//! as empty.

use crate::encoding::code_page;
use encoding_rs::{Encoding, WINDOWS_1252};

/// Type of a record that continues the previous one (CONTINUE).
const CONTINUE: u16 = 0x3c;

/// Iterator over the records of a stream.
pub(super) struct Records<'a> {
    rest: &'a [u8],
}

/// A record with its CONTINUE records.
pub(super) struct Record<'a> {
    pub(super) kind: u16,
    pub(super) parts: Vec<&'a [u8]>,
}

impl<'a> Records<'a> {
    /// Starts at byte `place` of the stream.
    pub(super) fn at(stream: &'a [u8], place: usize) -> Self {
        Self { rest: stream.get(place..).unwrap_or_default() }
    }

    fn one(&mut self) -> Option<(u16, &'a [u8])> {
        let (head, rest) = self.rest.split_at_checked(4)?;
        let (kind, length) = (number(head, 0), usize::from(number(head, 2)));
        // The last record of a truncated file is shorter than it declares.
        let (content, rest) = rest.split_at(length.min(rest.len()));
        self.rest = rest;
        Some((kind, content))
    }
}

impl<'a> Iterator for Records<'a> {
    type Item = Record<'a>;

    fn next(&mut self) -> Option<Record<'a>> {
        let (kind, first) = self.one()?;
        let mut parts = vec![first];
        while self.rest.starts_with(&CONTINUE.to_le_bytes())
            && let Some((_, part)) = self.one()
        {
            parts.push(part);
        }
        Some(Record { kind, parts })
    }
}

impl<'a> Record<'a> {
    /// Its data, without CONTINUE records.
    pub(super) fn content(&self) -> &'a [u8] {
        self.parts.first().copied().unwrap_or_default()
    }

    /// A reader of all its data, from byte `place` of the first record.
    pub(super) fn from(&self, place: usize) -> Parts<'a, '_> {
        let (first, rest) = self.parts.split_first().map_or((&[][..], &[][..]), |(first, rest)| (*first, rest));
        Parts { current: first.get(place..).unwrap_or_default(), rest }
    }
}

/// Reads across the boundaries of CONTINUE records.
pub(super) struct Parts<'a, 'r> {
    current: &'a [u8],
    rest: &'r [&'a [u8]],
}

impl Parts<'_, '_> {
    /// Whether nothing is left.
    pub(super) fn is_empty(&self) -> bool {
        self.current.is_empty() && self.rest.iter().all(|part| part.is_empty())
    }

    fn turn(&mut self) -> bool {
        let Some((next, rest)) = self.rest.split_first() else { return false };
        (self.current, self.rest) = (next, rest);
        true
    }

    fn byte(&mut self) -> Option<u8> {
        while self.current.is_empty() {
            if !self.turn() {
                return None;
            }
        }
        let (first, rest) = self.current.split_first()?;
        self.current = rest;
        Some(*first)
    }

    fn number(&mut self, bytes: u32) -> usize {
        (0..bytes).fold(0, |number, at| number | usize::from(self.byte().unwrap_or_default()) << (8 * at))
    }

    fn skip(&mut self, mut count: usize) {
        loop {
            let taken = count.min(self.current.len());
            self.current = self.current.get(taken..).unwrap_or_default();
            count -= taken;
            if count == 0 || !self.turn() {
                return;
            }
        }
    }

    /// A BIFF 8 string with a 16-bit length.
    pub(super) fn string(&mut self) -> String {
        let length = self.number(2);
        self.characters(length)
    }

    /// A BIFF 8 string of `length` characters.
    pub(super) fn characters(&mut self, length: usize) -> String {
        let flags = self.byte().unwrap_or_default();
        let runs = if flags & 8 == 0 { 0 } else { self.number(2) };
        let extension = if flags & 4 == 0 { 0 } else { self.number(4) };
        let text = self.units(length, flags & 1 == 1);
        self.skip(runs.saturating_mul(4).saturating_add(extension));
        text
    }

    /// Characters of one or two bytes. Each CONTINUE record starts with a new width flag.
    fn units(&mut self, mut length: usize, mut is_wide: bool) -> String {
        let mut units: Vec<u16> = Vec::new();
        while length > 0 {
            if self.current.is_empty() {
                if !self.turn() {
                    break;
                }
                is_wide = self.byte().unwrap_or_default() & 1 == 1;
                continue;
            }
            if is_wide {
                units.push(u16::try_from(self.number(2)).unwrap_or_default());
                length -= 1;
            } else {
                let (taken, rest) = self.current.split_at(length.min(self.current.len()));
                units.extend(taken.iter().map(|byte| u16::from(*byte)));
                length -= taken.len();
                self.current = rest;
            }
        }
        String::from_utf16_lossy(&units)
    }
}

/// The encoding of BIFF 5 strings by code page number.
pub(super) fn encoding(number: u16) -> &'static Encoding {
    // Mac Roman and windows-1252 have special numbers here.
    let number = match number {
        0x8000 => 10_000,
        0x8001 => 1252,
        number => u32::from(number),
    };
    code_page(number).and_then(|name| Encoding::for_label(name.as_bytes())).unwrap_or(WINDOWS_1252)
}

/// The 16-bit number at byte `place`; 0 beyond the end.
pub(super) fn number(bytes: &[u8], place: usize) -> u16 {
    bytes.get(place..place + 2).and_then(|two| two.try_into().ok()).map_or(0, u16::from_le_bytes)
}

/// The 32-bit number at byte `place`; 0 beyond the end.
pub(super) fn long(bytes: &[u8], place: usize) -> u32 {
    bytes.get(place..place + 4).and_then(|four| four.try_into().ok()).map_or(0, u32::from_le_bytes)
}
