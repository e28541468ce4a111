//! JPEG data of a picture. The decoder fills up what is missing, and says nothing; here the blocks are counted.

mod blocks;

use crate::pdf::is_loss;
use blocks::{Bits, Code};

const END: u8 = 0xd9;
const CODES: u8 = 0xc4;
const START_OF_SCAN: u8 = 0xda;
const RESTART_INTERVAL: u8 = 0xdd;
const PROGRESSIVE: u8 = 0xc2;
/// Share of the data of a scan that may follow its last block.
const MOST_LEFT: usize = 20;

/// Whether all rows are there. Of a picture that becomes finer from scan to scan: whether it has become so. A document may state
/// another size for it than its own.
pub(crate) fn is_whole(data: &[u8], stated: Option<(u32, u32)>) -> bool {
    let (mut picture, mut at) = (Picture::default(), 0);
    while let Some([0xff, marker]) = data.get(at..at + 2) {
        let length = match *marker {
            END => break,
            0xff => {
                at += 1;
                continue;
            }
            0x01 | 0xd0..=0xd8 => 0,
            _ => data.get(at + 2..at + 4).map_or(0, |length| usize::from(u16_of(length))),
        };
        let segment = data.get(at + 4..at + 2 + length).unwrap_or_default();
        at += 2 + length;
        match *marker {
            CODES => picture.codes(segment),
            RESTART_INTERVAL => picture.interval = segment.get(..2).map_or(0, |number| usize::from(u16_of(number))),
            0xc0..=0xcf if !matches!(marker, 0xc8 | 0xcc) => picture.frame(*marker, segment, stated),
            START_OF_SCAN => {
                let scan = data.get(at..).unwrap_or_default();
                let scan = scan.get(..blocks::scan_length(scan)).unwrap_or_default();
                if !picture.is_scan_whole(segment, scan) {
                    return false;
                }
                at += scan.len();
            }
            _ => {}
        }
    }
    picture.missing == 0
}

fn u16_of(bytes: &[u8]) -> u16 {
    bytes.try_into().map_or(0, u16::from_be_bytes)
}

/// A component of the picture: its number, and how many blocks of it a unit has, along and across.
#[derive(Clone, Copy)]
struct Component {
    number: u8,
    wide: usize,
    high: usize,
}

/// What the headers say.
struct Picture {
    kind: u8,
    width: usize,
    height: usize,
    components: Vec<Component>,
    /// Codes of the means of blocks, and of their other coefficients.
    codes: [[Option<Code>; 4]; 2],
    /// Number of units after which the data begin anew.
    interval: usize,
    /// The coefficients of the first component, which is the light or the first colour, that no scan has brought to full
    /// precision: one bit for each.
    missing: u64,
}

impl Default for Picture {
    fn default() -> Self {
        let (codes, components) = (Default::default(), Vec::new());
        Self { kind: 0, width: 0, height: 0, components, codes, interval: 0, missing: u64::MAX }
    }
}

impl Picture {
    fn codes(&mut self, mut segment: &[u8]) {
        while let Some((place, rest)) = segment.split_first() {
            let Some((counts, symbols)) = rest.split_at_checked(16) else { return };
            let length = counts.iter().map(|count| usize::from(*count)).sum::<usize>().min(symbols.len());
            let (symbols, after) = symbols.split_at(length);
            let table =
                self.codes.get_mut(usize::from(place >> 4)).and_then(|all| all.get_mut(usize::from(place & 15)));
            if let Some(table) = table {
                *table = Some(Code::of(counts, symbols));
            }
            segment = after;
        }
    }

    fn frame(&mut self, kind: u8, segment: &[u8], stated: Option<(u32, u32)>) {
        let [_, height @ .., _] = segment.get(..4).unwrap_or(&[0; 4]) else { return };
        let (height, width) =
            (usize::from(u16_of(height)), segment.get(3..5).map_or(0, |width| usize::from(u16_of(width))));
        // The size that the document states is right where that of the picture is larger.
        let stated = stated.map_or((width, height), |(wide, high)| (wide as usize, high as usize));
        (self.width, self.height) = if width * height > stated.0 * stated.1 { stated } else { (width, height) };
        self.kind = kind;
        let parts = segment.get(6..).unwrap_or_default().chunks_exact(3);
        let component = |part: &[u8]| Component {
            number: part[0],
            wide: usize::from(part[1] >> 4).clamp(1, 4),
            high: usize::from(part[1] & 15).clamp(1, 4),
        };
        self.components = parts.map(component).take(4).collect();
    }

    /// Notes what a scan brings. Returns whether it has all of its blocks, as far as that can be told.
    fn is_scan_whole(&mut self, head: &[u8], scan: &[u8]) -> bool {
        let count = usize::from(head.first().copied().unwrap_or_default());
        let parts: Vec<(Component, u8)> = (0..count)
            .filter_map(|at| Some((head.get(1 + 2 * at)?, head.get(2 + 2 * at)?)))
            .filter_map(|(number, codes)| Some((*self.components.iter().find(|one| one.number == *number)?, *codes)))
            .collect();
        let first = self.components.first().map(|component| component.number);
        let has_first = parts.iter().any(|(component, _)| Some(component.number) == first);
        if self.kind == PROGRESSIVE {
            match head.get(1 + 2 * count..4 + 2 * count) {
                Some([from, to, bits]) if has_first && from <= to && *to < 64 && bits & 15 == 0 => {
                    self.missing &= !(u64::MAX << from & u64::MAX >> (63 - to));
                }
                _ => {}
            }
            return true;
        }
        if has_first {
            self.missing = 0;
        }
        // Other kinds are coded in other ways, and the size may come last.
        !matches!(self.kind, 0xc0 | 0xc1) || self.height == 0 || self.width == 0 || self.has_blocks(&parts, scan)
    }

    fn has_blocks(&self, parts: &[(Component, u8)], scan: &[u8]) -> bool {
        let wide = self.components.iter().map(|one| one.wide).max().unwrap_or(1);
        let high = self.components.iter().map(|one| one.high).max().unwrap_or(1);
        // A component alone comes block by block.
        let (along, across, each_high) = match parts {
            [(one, _)] => {
                let (width, height) = (self.width * one.wide, self.height * one.high);
                (width.div_ceil(8 * wide), height.div_ceil(8 * high), 8 * high / one.high)
            }
            _ => (self.width.div_ceil(8 * wide), self.height.div_ceil(8 * high), 8 * high),
        };
        let code = |kind: usize, place: u8| self.codes.get(kind)?.get(usize::from(place))?.as_ref();
        let mut unit = Vec::new();
        for (component, codes) in parts {
            let (Some(means), Some(others)) = (code(0, codes >> 4), code(1, codes & 15)) else { return false };
            let blocks = if parts.len() == 1 { 1 } else { component.wide * component.high };
            unit.resize(unit.len() + blocks, (means, others));
        }
        let mut bits = Bits::of(scan);
        let missing = bits.missing(&unit, along * across, self.interval);
        let rest = bits.rest();
        let is_left = rest.len() * MOST_LEFT > scan.len() && rest.iter().any(|byte| Some(byte) != rest.first());
        !is_left && !is_loss((missing / along.max(1) * each_high) as u32, self.height as u32)
    }
}
