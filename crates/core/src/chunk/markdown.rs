//! Reads the headings of a Markdown document, and the places where a parser may start in the middle of it.
//!
//! One pass over the whole document, in sections, because the tree of pulldown-cmark takes up to a hundred times the
//! memory of its text. Leaves the cutting to text-splitter.

use super::guard::{flatten, nests, survive, unfolds};
use super::outline::{Mark, Outline};
use super::{Sizer, character_boundary, slice};
use crate::Result;
use pulldown_cmark::{CodeBlockKind, Event, HeadingLevel, Options, Parser, Tag, TagEnd};
use std::ops::Range;

/// Bytes parsed at a time.
const SECTION: usize = 1 << 18;
/// Most bytes parsed at a time: in the middle of a longer block, for example one list of 1 MB, the parser starts anew.
const MAX_SECTION: usize = 1 << 19;

/// What a Markdown document says about itself.
pub(super) struct Markdown {
    pub(super) outline: Outline,
    pub(super) structure: Structure,
}

/// Where a Markdown parser may start in the middle of a document.
#[derive(Debug, Default, Eq, PartialEq)]
pub(super) struct Structure {
    /// Starts of the blocks that are in no other, and of the items of their lists.
    anchors: Vec<usize>,
    /// Fenced code and front matter, where a parser must not start: it would take the end of the block for its beginning.
    fences: Vec<Range<usize>>,
}

impl Structure {
    /// Whether a block starts at `at` that means the same without what comes before it.
    pub(super) fn is_anchor(&self, at: usize) -> bool {
        self.anchors.binary_search(&at).is_ok()
    }

    /// The end of the fenced block that `at` is inside of.
    pub(super) fn end_of_fence(&self, at: usize) -> Option<usize> {
        let next = self.fences.partition_point(|fence| fence.end <= at);
        self.fences.get(next).filter(|fence| fence.start < at).map(|fence| fence.end)
    }

    /// Where to go on after the parser stopped at `end`, in the middle of a block: after the line, and after the fenced
    /// code if it is one, which is then known to end there.
    fn resume(&mut self, text: &str, end: usize) -> usize {
        let after =
            |at: usize| slice(text, at..text.len()).find(['\n', '\r']).map_or(text.len(), |newline| at + newline + 1);
        let mut line = if slice(text, 0..end).ends_with(['\n', '\r']) { end } else { after(end) };
        let Some(fence) = self.fences.last_mut().filter(|fence| fence.end + 1 >= end) else { return line };
        let opening = slice(text, fence.start..end).trim_start();
        let mark = opening.chars().next().unwrap_or('`');
        let length = opening.len() - opening.trim_start_matches(mark).len();
        while line < text.len() {
            let next = after(line);
            let closing =
                slice(text, line..next).trim_matches(|character: char| character.is_whitespace() || character == '>');
            line = next;
            if closing.len() >= length && closing.trim_start_matches(mark).is_empty() {
                break;
            }
        }
        fence.end = line;
        line
    }

    /// Whether `window` is to be parsed as Markdown: it does not start in fenced code and does no harm to the parser.
    pub(super) fn applies(&self, text: &str, window: &Range<usize>) -> bool {
        let part = slice(text, window.clone());
        self.end_of_fence(window.start).is_none() && !unfolds(part) && !nests(part)
    }
}

/// Reads `text`. Asks `sizer` now and then whether to go on.
pub(super) fn read(text: &str, sizer: &dyn Sizer) -> Result<Markdown> {
    read_sections(text, sizer, SECTION, MAX_SECTION)
}

/// Reads `section` bytes at a time, up to `longest` for a longer block.
pub(super) fn read_sections(text: &str, sizer: &dyn Sizer, section: usize, longest: usize) -> Result<Markdown> {
    let mut reading = Reading::default();
    let mut start = front_matter(text);
    if start > 0 {
        reading.structure.fences.push(0..start);
    }
    let mut length = section;
    while start < text.len() {
        sizer.size("")?;
        let mut end = character_boundary(text, start.saturating_add(length));
        if end < text.len() {
            end = slice(text, start..end).rfind(['\n', '\r']).map_or(end, |newline| start + newline + 1);
        }
        reading.section(text, &(start..end));
        if end == text.len() {
            break;
        }
        match reading.last_block.take() {
            // The last block might go on: it is read again with what follows.
            Some(block) if block.line > start => {
                reading.return_to(block);
                start = block.line;
                length = section;
            }
            block if length < longest => {
                block.into_iter().for_each(|block| reading.return_to(block));
                length = length.saturating_mul(2);
            }
            _ => {
                start = reading.structure.resume(text, end);
                length = section;
            }
        }
    }
    Ok(Markdown { outline: reading.outline, structure: reading.structure })
}

/// The length of the metadata that `text` begins with, in YAML or TOML.
fn front_matter(text: &str) -> usize {
    let mut lines = text.split_inclusive('\n');
    let first = lines.next().unwrap_or_default();
    let mark = first.trim_end();
    let mut length = first.len();
    if mark != "---" && mark != "+++" {
        return 0;
    }
    for (index, line) in lines.enumerate() {
        length += line.len();
        let line = line.trim_end();
        let closes = line == mark || (mark == "---" && line == "...");
        match index {
            0 if closes || line.is_empty() => return 0,
            _ if closes => return length,
            _ => {}
        }
    }
    0
}

/// A state to return to: what was known before a block.
#[derive(Clone, Copy, Default)]
struct BlockStart {
    /// Start of the line it begins on.
    line: usize,
    outline: Mark,
    anchors: usize,
    fences: usize,
}

#[derive(Default)]
struct Reading {
    outline: Outline,
    structure: Structure,
    last_block: Option<BlockStart>,
    /// Tags open around the current event.
    depth: usize,
    /// For each block quote, list item and the like: the heading that holds again after it.
    containers: Vec<Option<usize>>,
    heading: Option<HeadingText>,
}

/// A heading under way.
#[derive(Default)]
struct HeadingText {
    text: String,
    images: usize,
}

impl Reading {
    fn state(&self, line: usize) -> BlockStart {
        BlockStart {
            line,
            outline: self.outline.mark(),
            anchors: self.structure.anchors.len(),
            fences: self.structure.fences.len(),
        }
    }

    fn return_to(&mut self, block: BlockStart) {
        self.outline.truncate(block.outline);
        self.structure.anchors.truncate(block.anchors);
        self.structure.fences.truncate(block.fences);
    }

    /// Reads `section` of `text`, or nothing of it if the parser cannot.
    fn section(&mut self, text: &str, section: &Range<usize>) {
        // Quotation marks stay as they are written. Metadata in the middle would swallow the headings between two rules.
        let mut options = Options::all()
            - Options::ENABLE_SMART_PUNCTUATION
            - Options::ENABLE_YAML_STYLE_METADATA_BLOCKS
            - Options::ENABLE_PLUSES_DELIMITED_METADATA_BLOCKS;
        let part = slice(text, section.clone());
        options.set(Options::ENABLE_TABLES, !unfolds(part));
        let part = flatten(part);
        // Attributes of headings are where the parser breaks.
        for options in [options, options - Options::ENABLE_HEADING_ATTRIBUTES] {
            let before = self.state(section.start);
            self.last_block = None;
            self.depth = 0;
            self.containers.clear();
            self.heading = None;
            if survive(|| self.events(text, section, Parser::new_ext(&part, options))).is_some() {
                return;
            }
            self.last_block = None;
            self.return_to(before);
        }
    }

    fn events(&mut self, text: &str, section: &Range<usize>, parser: Parser<'_>) {
        for (event, range) in parser.into_offset_iter() {
            let range = section.start + range.start..section.start + range.end;
            if self.depth == 0 && !matches!(event, Event::End(_)) {
                let line = slice(text, section.start..range.start).rfind(['\n', '\r']).map_or(0, |newline| newline + 1);
                self.last_block = Some(self.state(section.start + line));
                self.anchor(text, range.start);
            }
            match event {
                Event::Start(tag) => self.open(text, &tag, range),
                Event::End(tag) => self.close(tag, &range),
                event => self.inline(&event),
            }
        }
    }

    fn anchor(&mut self, text: &str, at: usize) {
        let rest = slice(text, at..text.len());
        let at = at + (rest.len() - rest.trim_start().len());
        if self.structure.anchors.last().is_none_or(|&last| last < at) {
            self.structure.anchors.push(at);
        }
    }

    fn open(&mut self, text: &str, tag: &Tag<'_>, range: Range<usize>) {
        match tag {
            Tag::Heading { .. } => self.heading = Some(HeadingText::default()),
            Tag::CodeBlock(CodeBlockKind::Fenced(_)) => self.structure.fences.push(range),
            Tag::Item if self.depth == 1 => self.anchor(text, range.start),
            Tag::Image { .. } => {
                if let Some(heading) = &mut self.heading {
                    heading.images += 1;
                }
            }
            _ => {}
        }
        if matches!(tag, Tag::BlockQuote(_) | Tag::Item | Tag::FootnoteDefinition(_) | Tag::DefinitionListDefinition) {
            self.containers.push(self.outline.innermost());
        }
        self.depth += 1;
    }

    fn close(&mut self, tag: TagEnd, range: &Range<usize>) {
        self.depth = self.depth.saturating_sub(1);
        match tag {
            TagEnd::Heading(level) => {
                if let Some(heading) = self.heading.take() {
                    self.outline.push(range.clone(), number(level), &heading.text, self.containers.is_empty());
                }
            }
            TagEnd::Image => {
                if let Some(heading) = &mut self.heading {
                    heading.images = heading.images.saturating_sub(1);
                }
            }
            TagEnd::BlockQuote(_) | TagEnd::Item | TagEnd::FootnoteDefinition | TagEnd::DefinitionListDefinition => {
                if let Some(innermost) = self.containers.pop() {
                    self.outline.restore(range.end, innermost);
                }
            }
            _ => {}
        }
    }

    fn inline(&mut self, event: &Event<'_>) {
        let Some(heading) = self.heading.as_mut().filter(|heading| heading.images == 0) else { return };
        match event {
            Event::Text(text) | Event::Code(text) | Event::InlineMath(text) | Event::DisplayMath(text) => {
                heading.text.push_str(text);
            }
            Event::SoftBreak | Event::HardBreak => heading.text.push(' '),
            _ => {}
        }
    }
}

fn number(level: HeadingLevel) -> u8 {
    match level {
        HeadingLevel::H1 => 1,
        HeadingLevel::H2 => 2,
        HeadingLevel::H3 => 3,
        HeadingLevel::H4 => 4,
        HeadingLevel::H5 => 5,
        HeadingLevel::H6 => 6,
    }
}
