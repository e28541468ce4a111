//! Renders the tree as blocks.

use super::name::Tag;
use super::table;
use super::tree::{Element, Keep, Tree, What};
use super::white_space::append_collapsed;
use crate::Writer;
use socle_core::Result;
use std::ops::Range;

/// Writes the nodes of `range`.
pub(super) fn render(tree: &Tree, range: Range<usize>, keep: Keep, writer: &mut Writer) -> Result<()> {
    let mut renderer = Renderer {
        tree,
        keep,
        writer,
        line: String::new(),
        lists: Vec::new(),
        item: None,
        heading: None,
        quotes: 0,
        pictures: Vec::new(),
    };
    let mut open: Vec<(usize, &Element)> = Vec::new();
    let mut at = range.start;
    while at < range.end {
        while open.last().is_some_and(|(end, _)| *end <= at) {
            if let Some((_, element)) = open.pop() {
                renderer.close(element)?;
            }
        }
        let Some(node) = tree.nodes.get(at) else { break };
        at += 1;
        match &node.what {
            What::Text(text) => renderer.text(tree.text.get(text.clone()).unwrap_or_default()),
            What::Picture(address) => renderer.picture(address),
            What::Element(element) if keep.drops(element) => {
                renderer.pictures_of_drawing(element, at..node.end);
                at = node.end;
            }
            What::Element(element) => {
                if renderer.whole(element, at..node.end)? {
                    at = node.end;
                } else {
                    renderer.open(element)?;
                    open.push((node.end, element));
                }
            }
        }
    }
    while let Some((_, element)) = open.pop() {
        renderer.close(element)?;
    }
    renderer.flush()?;
    renderer.note_pictures();
    Ok(())
}

struct List {
    /// The number of the next item in a numbered list.
    next: Option<u64>,
}

struct Renderer<'a> {
    tree: &'a Tree,
    keep: Keep,
    writer: &'a mut Writer,
    /// The text of the current block.
    line: String,
    lists: Vec<List>,
    /// Depth and number of a list item that has no text yet.
    item: Option<(usize, Option<u64>)>,
    /// Level of the open heading, and whether it has an end tag.
    heading: Option<(u8, bool)>,
    /// Number of open block quotes.
    quotes: usize,
    /// The pictures in the current block.
    pictures: Vec<&'a str>,
}

impl<'a> Renderer<'a> {
    fn text(&mut self, text: &str) {
        append_collapsed(&mut self.line, text);
    }

    /// A picture. Its text belongs before the current block, if that has no text yet, or after it.
    fn picture(&mut self, address: &'a str) {
        self.pictures.push(address);
        if self.line.trim().is_empty() && self.heading.is_none() && self.item.is_none() {
            self.note_pictures();
        }
    }

    /// Notes the pictures of the current block at this place.
    fn note_pictures(&mut self) {
        self.pictures.drain(..).for_each(|address| self.writer.picture_at(address));
    }

    /// The pictures in a drawing (SVG), whose own text is not read.
    fn pictures_of_drawing(&mut self, element: &Element, inside: Range<usize>) {
        if element.tag == Tag::Unread && !element.is_hidden {
            self.pictures_in(inside);
        }
    }

    fn pictures_in(&mut self, inside: Range<usize>) {
        let mut at = inside.start;
        while at < inside.end
            && let Some(node) = self.tree.nodes.get(at)
        {
            at += 1;
            match &node.what {
                What::Picture(address) => self.picture(address),
                What::Element(element) if self.keep.drops(element) && element.tag != Tag::Unread => at = node.end,
                What::Text(_) | What::Element(_) => {}
            }
        }
    }

    /// Ends the current block.
    fn flush(&mut self) -> Result<()> {
        let line = std::mem::take(&mut self.line);
        if line.trim().is_empty() {
            return Ok(());
        }
        match (self.heading, self.item.take()) {
            (Some((level, _)), _) => {
                self.heading = None;
                self.writer.heading(level, &line)?;
            }
            (None, Some((depth, number))) => self.writer.list_item(depth, number, &line)?,
            (None, None) if self.quotes > 0 => self.writer.quotation(self.quotes, &line)?,
            (None, None) => self.writer.paragraph(&line)?,
        }
        self.note_pictures();
        Ok(())
    }

    /// A block begins or ends. Inside a heading, this is a space; but it ends a heading whose end tag is missing.
    fn boundary(&mut self) -> Result<()> {
        if self.heading.is_some_and(|(_, is_ended)| is_ended) {
            self.text(" ");
            return Ok(());
        }
        self.flush()
    }

    fn open(&mut self, element: &Element) -> Result<()> {
        match element.tag {
            Tag::LineBreak => return self.line_break(),
            Tag::Apart => self.text(" "),
            Tag::Quotation => self.line.push('"'),
            Tag::Heading(level) => {
                self.flush()?;
                self.item = None;
                self.heading = Some((level, element.is_ended));
            }
            tag if tag.is_block() => self.boundary()?,
            _ => {}
        }
        let depth = self.lists.len();
        match element.tag {
            Tag::List | Tag::DefinitionList => self.lists.push(List { next: None }),
            Tag::Numbered => self.lists.push(List { next: Some(element.number.unwrap_or(1)) }),
            Tag::Item => {
                let next = self.lists.last_mut().and_then(|list| list.next.as_mut());
                let number = next.map(|next| {
                    let number = element.number.unwrap_or(*next);
                    *next = number.saturating_add(1);
                    number
                });
                self.item = Some((depth.saturating_sub(1), number));
            }
            Tag::Term => self.item = Some((depth.saturating_sub(1), None)),
            Tag::Definition => self.item = Some((depth, None)),
            Tag::Quote => self.quotes += 1,
            _ => {}
        }
        Ok(())
    }

    fn close(&mut self, element: &Element) -> Result<()> {
        match element.tag {
            Tag::LineBreak => return Ok(()),
            Tag::Apart => self.text(" "),
            Tag::Quotation => self.line.push('"'),
            Tag::Heading(_) => {
                self.flush()?;
                self.heading = None;
            }
            tag if tag.is_block() => self.boundary()?,
            _ => {}
        }
        match element.tag {
            Tag::List | Tag::DefinitionList | Tag::Numbered => {
                self.lists.pop();
            }
            Tag::Item | Tag::Term | Tag::Definition => self.item = None,
            Tag::Quote => self.quotes = self.quotes.saturating_sub(1),
            _ => {}
        }
        Ok(())
    }

    /// A line break; two of them end the paragraph.
    fn line_break(&mut self) -> Result<()> {
        if self.line.trim_end_matches([' ', '\u{a0}']).ends_with('\n') {
            return self.boundary();
        }
        self.line.push('\n');
        Ok(())
    }

    /// Writes an element whose descendants are not blocks of their own. `false` if `element` is not such an element.
    fn whole(&mut self, element: &'a Element, inside: Range<usize>) -> Result<bool> {
        let pictures = inside.clone();
        match element.tag {
            Tag::Preformatted => {
                self.boundary()?;
                let (language, text) = self.preformatted(element, inside);
                // A heading or a cell has one line.
                if self.heading.is_some() {
                    self.text(&text);
                } else {
                    self.item = None;
                    self.writer.code(language, &text)?;
                }
            }
            Tag::Table if !element.is_layout => {
                let Some(table) = table::read(self.tree, inside, self.keep, self.writer.limits().output)? else {
                    return Ok(false);
                };
                self.boundary()?;
                self.text(&table.before);
                self.boundary()?;
                if let [row] = table.rows.as_slice() {
                    self.text(&row.join(" "));
                    self.boundary()?;
                } else {
                    self.flush()?;
                    self.heading = None;
                    self.item = None;
                    self.writer.table(&table.rows)?;
                }
            }
            _ => return Ok(false),
        }
        self.pictures_in(pictures);
        Ok(true)
    }

    /// The verbatim text of `<pre>`, with the programming language that it or a `<code>` inside names.
    fn preformatted(&self, element: &'a Element, inside: Range<usize>) -> (Option<&'a str>, String) {
        let tree = self.tree;
        let (mut language, mut text) = (element.language.as_deref(), String::new());
        let mut at = inside.start;
        while at < inside.end
            && let Some(node) = tree.nodes.get(at)
        {
            at += 1;
            match &node.what {
                What::Text(range) => text.push_str(tree.text.get(range.clone()).unwrap_or_default()),
                What::Picture(_) => {}
                What::Element(element) if self.keep.drops(element) => at = node.end,
                What::Element(element) => {
                    language = language.or(element.language.as_deref());
                    if element.tag.is_block() || element.tag == Tag::LineBreak {
                        text.push('\n');
                    }
                }
            }
        }
        (language, text)
    }
}
