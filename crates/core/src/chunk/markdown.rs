//! Reads the headings of a Markdown document and the offsets at which parsing can be restarted in the middle of it.
//!
//! One pass over the whole document, in sections, because the tree of pulldown-cmark takes up to a hundred times the
//! memory of its text. The document is cut by text-splitter.

use super::markdown_limits::{catch_parser_panic, has_oversized_tables, is_nested_too_deeply, limit_nesting};
use super::outline::{Checkpoint, Outline};
use super::{Sizer, character_boundary, slice};
use crate::Result;
use pulldown_cmark::{CodeBlockKind, Event, HeadingLevel, Options, Parser, Tag, TagEnd};
use std::ops::Range;

/// Bytes parsed at a time.
const SECTION: usize = 1 << 18;
/// Most bytes parsed at a time: inside a longer block, for example a list of 1 MB, the parser is restarted.
const MAX_SECTION: usize = 1 << 19;

/// The structure of a Markdown document that chunking uses.
pub(super) struct Markdown {
    pub(super) outline: Outline,
    pub(super) structure: Structure,
}

/// Offsets at which parsing can and cannot be restarted.
#[derive(Debug, Default, Eq, PartialEq)]
pub(super) struct Structure {
    /// Starts of top-level blocks and of the items of top-level lists, ascending.
    restart_points: Vec<usize>,
    /// Fenced code and front matter, where parsing must not be restarted: the closing fence would be taken for an
    /// opening one.
    fences: Vec<Range<usize>>,
}

impl Structure {
    /// Whether a block starts at `at` that parses the same without the text before it.
    pub(super) fn is_restart_point(&self, at: usize) -> bool {
        self.restart_points.binary_search(&at).is_ok()
    }

    /// The end of the fenced block that contains `at`, if any.
    pub(super) fn end_of_fence(&self, at: usize) -> Option<usize> {
        let next = self.fences.partition_point(|fence| fence.end <= at);
        self.fences.get(next).filter(|fence| fence.start < at).map(|fence| fence.end)
    }

    /// The offset at which to restart after the parser stopped at `end` inside a block: the next line, or the line
    /// after the end of fenced code, whose range is then corrected.
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

    /// Whether `window` can be parsed as Markdown: it does not start in fenced code and does not exceed the limits of
    /// the parser.
    pub(super) fn applies(&self, text: &str, window: &Range<usize>) -> bool {
        let part = slice(text, window.clone());
        self.end_of_fence(window.start).is_none() && !has_oversized_tables(part) && !is_nested_too_deeply(part)
    }
}

/// Reads `text`. Calls `sizer` before each section, so that it can cancel.
pub(super) fn read(text: &str, sizer: &dyn Sizer) -> Result<Markdown> {
    read_sections(text, sizer, SECTION, MAX_SECTION)
}

/// As [`read`], with `section` bytes at a time, and up to about `max_section` for a longer block.
pub(super) fn read_sections(text: &str, sizer: &dyn Sizer, section: usize, max_section: usize) -> Result<Markdown> {
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
            // The last block may continue: it is parsed again together with the text after it.
            Some(block) if block.line > start => {
                reading.roll_back_to(block);
                start = block.line;
                length = section;
            }
            block if length < max_section => {
                block.into_iter().for_each(|block| reading.roll_back_to(block));
                length = length.saturating_mul(2);
            }
            _ => {
                start = reading.structure.resume(text, end);
                reading.outline.extend_table(end, end_of_rows(text, start));
                length = section;
            }
        }
    }
    Ok(Markdown { outline: reading.outline, structure: reading.structure })
}

/// The length in bytes of the front matter of `text`, in YAML or TOML; 0 if there is none.
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

/// The end of the rows of a table that go on at `start`: the next line without a vertical bar.
fn end_of_rows(text: &str, start: usize) -> usize {
    let rows = slice(text, start..text.len()).split_inclusive(['\n', '\r']).take_while(|line| line.contains('|'));
    start + rows.map(str::len).sum::<usize>()
}

/// The state of [`Reading`] before a block, to roll back to.
#[derive(Clone, Copy, Default)]
struct BlockStart {
    /// Start of the line on which the block starts.
    line: usize,
    outline: Checkpoint,
    restart_points: usize,
    fences: usize,
}

#[derive(Default)]
struct Reading {
    outline: Outline,
    structure: Structure,
    last_block: Option<BlockStart>,
    /// Number of open tags.
    depth: usize,
    /// For each open container (block quote, list item, …): the heading in force after it.
    containers: Vec<Option<usize>>,
    heading: Option<HeadingText>,
    header: Option<TableHeader>,
}

/// The header row of the table being read.
#[derive(Default)]
struct TableHeader {
    start: usize,
    cells: Vec<String>,
    is_read: bool,
}

/// The heading being read.
#[derive(Default)]
struct HeadingText {
    text: String,
    images: usize,
}

impl Reading {
    fn state(&self, line: usize) -> BlockStart {
        BlockStart {
            line,
            outline: self.outline.checkpoint(),
            restart_points: self.structure.restart_points.len(),
            fences: self.structure.fences.len(),
        }
    }

    fn roll_back_to(&mut self, block: BlockStart) {
        self.outline.truncate(block.outline);
        self.structure.restart_points.truncate(block.restart_points);
        self.structure.fences.truncate(block.fences);
    }

    /// Reads `section` of `text`; adds nothing if the parser panics.
    fn section(&mut self, text: &str, section: &Range<usize>) {
        // Smart punctuation would change quotation marks. Metadata blocks in the middle would swallow the headings
        // between two thematic breaks.
        let mut options = Options::all()
            - Options::ENABLE_SMART_PUNCTUATION
            - Options::ENABLE_YAML_STYLE_METADATA_BLOCKS
            - Options::ENABLE_PLUSES_DELIMITED_METADATA_BLOCKS;
        let part = slice(text, section.clone());
        options.set(Options::ENABLE_TABLES, !has_oversized_tables(part));
        let part = limit_nesting(part);
        // Heading attributes are the most common cause of panics.
        for options in [options, options - Options::ENABLE_HEADING_ATTRIBUTES] {
            let before = self.state(section.start);
            self.last_block = None;
            self.depth = 0;
            self.containers.clear();
            self.heading = None;
            self.header = None;
            if catch_parser_panic(|| self.events(text, section, Parser::new_ext(&part, options))).is_some() {
                return;
            }
            self.last_block = None;
            self.roll_back_to(before);
        }
    }

    fn events(&mut self, text: &str, section: &Range<usize>, parser: Parser<'_>) {
        for (event, range) in parser.into_offset_iter() {
            let range = section.start + range.start..section.start + range.end;
            if self.depth == 0 && !matches!(event, Event::End(_)) {
                let line = slice(text, section.start..range.start).rfind(['\n', '\r']).map_or(0, |newline| newline + 1);
                self.last_block = Some(self.state(section.start + line));
                self.add_restart_point(text, range.start);
            }
            match event {
                Event::Start(tag) => self.open(text, &tag, range),
                Event::End(tag) => self.close(tag, &range),
                event => self.inline(&event),
            }
        }
    }

    fn add_restart_point(&mut self, text: &str, at: usize) {
        let rest = slice(text, at..text.len());
        let at = at + (rest.len() - rest.trim_start().len());
        if self.structure.restart_points.last().is_none_or(|&last| last < at) {
            self.structure.restart_points.push(at);
        }
    }

    fn open(&mut self, text: &str, tag: &Tag<'_>, range: Range<usize>) {
        match tag {
            Tag::Heading { .. } => self.heading = Some(HeadingText::default()),
            Tag::CodeBlock(CodeBlockKind::Fenced(_)) => self.structure.fences.push(range),
            Tag::TableHead => self.header = Some(TableHeader { start: range.start, ..TableHeader::default() }),
            Tag::TableCell => {
                if let Some(header) = self.header.as_mut().filter(|header| !header.is_read) {
                    header.cells.push(String::new());
                }
            }
            Tag::Item if self.depth == 1 => self.add_restart_point(text, range.start),
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
            TagEnd::TableHead => self.header.iter_mut().for_each(|header| header.is_read = true),
            TagEnd::Table => {
                if let Some(header) = self.header.take() {
                    self.outline.push_table(header.start..range.end, header.cells.iter().map(String::as_str));
                }
            }
            TagEnd::Image => {
                if let Some(heading) = &mut self.heading {
                    heading.images = heading.images.saturating_sub(1);
                }
            }
            TagEnd::BlockQuote(_) | TagEnd::Item | TagEnd::FootnoteDefinition | TagEnd::DefinitionListDefinition => {
                if let Some(innermost) = self.containers.pop() {
                    self.outline.resume(range.end, innermost);
                }
            }
            _ => {}
        }
    }

    fn inline(&mut self, event: &Event<'_>) {
        let cell = self.header.as_mut().filter(|header| !header.is_read).and_then(|header| header.cells.last_mut());
        if let (Some(cell), Event::Text(text) | Event::Code(text) | Event::InlineMath(text)) = (cell, event) {
            cell.push_str(text);
        }
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
