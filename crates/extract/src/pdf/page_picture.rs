//! The pictures of a page that is to be recognised: whether each can be decoded, and has all of its data. The renderer draws
//! what it can of them, and says nothing of the rest, so that a page whose picture is damaged looks like a blank one.

mod ccitt;
mod data;
mod jbig2;
mod jpeg_2000;
#[cfg(test)]
mod tests;

use super::decompress::unpack;
use crate::Limits;
use data::Layout;
use hayro_syntax::content::TypedIter;
use hayro_syntax::content::ops::TypedInstruction as Op;
use hayro_syntax::object::{Array, Dict, Name, Object, ObjectIdentifier, Stream};
use hayro_syntax::page::{Page, Resources};
use std::collections::HashMap;

/// Maximum nesting of form XObjects.
const MAX_FORMS: usize = 20;
/// Most bytes of content that are looked through on a page.
const MAX_CONTENT: usize = 256 << 20;
/// Most bytes that the samples of a picture may take: half of what a reader of documents may take by default.
const MAX_BYTES: u64 = 512 << 20;
/// Smallest picture that counts, in pixels: smaller ones are spacers.
const LEAST_PIXELS: u64 = 64;
/// Number of rows at the end of a picture that may be missing, and their share of all rows: many programs leave out the last
/// bytes, and no line of text is lost with them.
const FEW_ROWS: u32 = 3;
const FEW_PERCENT: u32 = 1;

/// What can be read of a picture.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Condition {
    /// All that matters.
    Whole,
    /// Nothing, or only a part.
    Damaged,
    /// Nothing: to decode it would take too much memory.
    TooLarge,
}

/// What is wrong with the pictures of a page.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Findings {
    /// Number of pictures that are damaged or too large and were not on a page before.
    pub(super) unread: usize,
    /// Whether any picture is damaged or too large.
    pub(super) is_damaged: bool,
    /// Whether the page cannot be rendered, because a picture is too large.
    pub(super) is_too_large: bool,
}

/// The pictures of the pages so far. Each is looked at once.
#[derive(Default)]
pub(super) struct Pictures {
    known: HashMap<ObjectIdentifier, Condition>,
}

impl Pictures {
    /// Looks at the pictures of a page.
    pub(super) fn of_page(&mut self, page: &Page<'_>) -> Findings {
        let limits = Limits { output: 0, unpacked: MAX_CONTENT, depth: MAX_FORMS };
        let mut search = Search { pictures: self, limits, findings: Findings::default() };
        if let Ok(bytes) = super::contents(page, &mut search.limits) {
            search.content(&bytes, page.resources(), 0);
        }
        for annotation in page.raw().get::<Array<'_>>("Annots").iter().flat_map(|list| list.iter::<Dict<'_>>()) {
            if let Some(stream) = super::annotation::appearance(&annotation) {
                search.object(&stream, page.resources(), 0);
            }
        }
        search.findings
    }
}

/// The search for the pictures of one page.
struct Search<'p> {
    pictures: &'p mut Pictures,
    limits: Limits,
    findings: Findings,
}

impl Search<'_> {
    fn content<'a>(&mut self, bytes: &[u8], resources: &Resources<'a>, depth: usize) {
        let mut operations = TypedIter::new(bytes);
        while let Some(operation) = operations.next() {
            match operation {
                Op::XObject(name) => match resources.get_x_object(name.0) {
                    Some(stream) => self.object(&stream, resources, depth),
                    None if depth == 0 => self.note(Condition::Damaged, true),
                    None => {}
                },
                Op::InlineImage(image) => self.note(condition(image.0, resources), true),
                _ => {}
            }
        }
    }

    fn object<'a>(&mut self, stream: &Stream<'a>, resources: &Resources<'a>, depth: usize) {
        if stream.dict().get::<Name<'_>>("Subtype").is_some_and(|subtype| subtype.as_ref() == b"Image") {
            let id = stream.obj_id();
            let known = self.pictures.known.get(&id).copied();
            let found = known.unwrap_or_else(|| condition(stream, resources));
            self.pictures.known.insert(id, found);
            self.note(found, known.is_none());
        } else if depth < MAX_FORMS
            && let Ok(Some(bytes)) = unpack(stream, &mut self.limits)
        {
            let own = stream.dict().get::<Dict<'a>>("Resources").map(Resources::new);
            self.content(&bytes, own.as_ref().unwrap_or(resources), depth + 1);
        }
    }

    fn note(&mut self, condition: Condition, is_new: bool) {
        self.findings.unread += usize::from(is_new && condition != Condition::Whole);
        self.findings.is_damaged |= condition != Condition::Whole;
        self.findings.is_too_large |= condition == Condition::TooLarge;
    }
}

/// The condition of a picture, and of the mask that it is drawn through: some scanners put the letters into that.
fn condition<'a>(stream: &Stream<'a>, resources: &Resources<'a>) -> Condition {
    let own = data::condition(stream, &Layout::of(stream.dict(), resources));
    let mask = ["SMask", "Mask"].iter().find_map(|key| stream.dict().get::<Stream<'a>>(key));
    let mask = mask.map(|mask| data::condition(&mask, &Layout::of_mask(mask.dict())));
    own.max(mask.unwrap_or(Condition::Whole))
}

/// Whether so many rows of a picture are missing that a text may be.
pub(crate) fn is_loss(missing: u32, rows: u32) -> bool {
    missing > 0 && (missing >= rows || missing > FEW_ROWS.max(rows / 100 * FEW_PERCENT))
}

/// The number of components of a colour space.
fn components(space: Option<Object<'_>>, resources: &Resources<'_>, depth: usize) -> u32 {
    match space {
        Some(Object::Name(name)) => match name.as_ref() {
            b"DeviceGray" | b"G" | b"CalGray" | b"Indexed" | b"I" | b"Pattern" => 1,
            b"DeviceRGB" | b"RGB" | b"CalRGB" | b"Lab" => 3,
            b"DeviceCMYK" | b"CMYK" => 4,
            _ if depth < MAX_FORMS => components(resources.get_color_space(&name), resources, depth + 1),
            _ => 1,
        },
        Some(Object::Array(array)) => {
            let mut parts = array.flex_iter();
            let Some(name) = parts.next::<Name<'_>>() else { return 1 };
            match name.as_ref() {
                b"ICCBased" => {
                    parts.next::<Stream<'_>>().and_then(|profile| profile.dict().get::<u32>("N")).unwrap_or(1)
                }
                b"DeviceN" => parts.next::<Array<'_>>().map_or(1, |names| names.iter::<Name<'_>>().count() as u32),
                b"Indexed" | b"I" | b"Separation" => 1,
                _ => components(Some(Object::Name(name)), resources, MAX_FORMS),
            }
        }
        _ => 1,
    }
}
