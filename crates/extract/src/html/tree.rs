//! The document as a flat list of nodes in document order, each with the index of its end. Missing and misnested end
//! tags are handled as in browsers, as far as they affect the text.
//!
//! Each tag takes constant time at any depth: open elements are found by an index per kind and never by searching the
//! stack.

use super::boilerplate::{is_boilerplate, is_file_name, is_hidden, value};
use super::metadata::PageMetadata;
use super::name::{Raw, Tag};
use super::token::{Attributes, Sink};
use std::borrow::Cow;
use std::collections::HashMap;
use std::ops::Range;

/// A document.
#[derive(Debug, Default)]
pub(super) struct Tree {
    pub(super) nodes: Vec<Node>,
    pub(super) text: String,
    pub(super) head: PageMetadata,
    /// Whether the document has pictures.
    pub(super) has_picture: bool,
}

#[derive(Debug)]
pub(super) struct Node {
    pub(super) what: What,
    /// Index of the node after its last descendant.
    pub(super) end: usize,
}

#[derive(Debug)]
pub(super) enum What {
    Text(Range<usize>),
    /// A picture, by its address.
    Picture(Box<str>),
    Element(Box<Element>),
}

/// The properties of an element that are used.
#[derive(Debug)]
pub(super) struct Element {
    pub(super) tag: Tag,
    pub(super) is_hidden: bool,
    pub(super) is_boilerplate: bool,
    /// Whether it is marked as the main part.
    pub(super) is_main: bool,
    /// Whether its own end tag ended it.
    pub(super) is_ended: bool,
    /// Whether it is a table that contains tables or is marked as presentational.
    pub(super) is_layout: bool,
    /// First number of a list, or number of an item.
    pub(super) number: Option<u64>,
    /// Number of columns and rows that a cell spans.
    pub(super) span: (usize, usize),
    /// Programming language of code, from its class.
    pub(super) language: Option<String>,
}

/// Which elements are kept.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Keep {
    /// The main text: neither boilerplate nor hidden elements.
    Text,
    /// All visible elements.
    Seen,
    /// All elements, hidden ones included.
    All,
}

impl Keep {
    /// Whether an element is left out with everything in it.
    pub(super) fn drops(self, element: &Element) -> bool {
        element.tag == Tag::Unread
            || (element.is_hidden && self != Self::All)
            || (element.is_boilerplate && self == Self::Text)
    }
}

/// Kinds of elements for which the last open one is tracked.
#[derive(Clone, Copy)]
enum Group {
    /// Blocks and elements that are hidden as a whole.
    Any,
    Paragraph,
    Heading,
    List,
    Item,
    DefinitionList,
    Definition,
    Table,
    Rows,
    Row,
    Cell,
    Caption,
    Text,
    Header,
    Unread,
}

const GROUPS: usize = Group::Unread as usize + 1;

struct Open {
    name: usize,
    group: Option<Group>,
    node: Option<usize>,
    is_block: bool,
    /// Whether its end tag came before those of its children.
    is_over: bool,
}

#[derive(Default)]
pub(super) struct Builder {
    tree: Tree,
    open: Vec<Open>,
    names: HashMap<Vec<u8>, usize>,
    /// For each group, the indexes of its members in `open`.
    places: Vec<Vec<usize>>,
    groups: [Vec<usize>; GROUPS],
    /// Whether the last node is text that can be continued.
    goes_on: bool,
}

impl Builder {
    pub(super) fn finish(mut self) -> Tree {
        self.end_to(0);
        self.tree
    }

    fn open(&mut self, name: &[u8], tag: Tag, attributes: &Attributes) {
        let element = self.element(tag, attributes);
        let is_block = tag.is_block();
        let is_text = element.is_main;
        let matters = is_block || element.is_hidden || element.is_boilerplate;
        let matters = matters
            || matches!(tag, Tag::Unread | Tag::Apart | Tag::Quotation | Tag::LineBreak)
            || element.language.is_some();
        let node = matters.then(|| self.push(What::Element(Box::new(element))));
        let count = self.places.len();
        let name = match self.names.get(name) {
            Some(known) => *known,
            None => {
                self.names.insert(name.to_vec(), count);
                self.places.push(Vec::new());
                count
            }
        };
        let place = self.open.len();
        let group = group(tag).or(is_text.then_some(Group::Text));
        if let Some(places) = self.places.get_mut(name) {
            places.push(place);
        }
        for group in group.into_iter().chain((is_block || node.is_some()).then_some(Group::Any)) {
            self.groups[group as usize].push(place);
        }
        if tag == Tag::Heading(1)
            && let Some(header) = self.last(Group::Header)
            && let Some(Open { node: Some(node), .. }) = self.open.get(header)
            && let Some(Node { what: What::Element(header), .. }) = self.tree.nodes.get_mut(*node)
        {
            // The header of an article, not of the site.
            header.is_boilerplate = false;
        }
        self.open.push(Open { name, group, node, is_block, is_over: false });
    }

    fn element(&mut self, tag: Tag, attributes: &Attributes) -> Element {
        let number = |name: &str| value(attributes, name).and_then(|text| text.trim().parse::<usize>().ok());
        let role = value(attributes, "role").unwrap_or_default();
        if tag == Tag::Table
            && let Some(outer) = self.last(Group::Table)
            && let Some(Open { node: Some(node), .. }) = self.open.get(outer)
            && let Some(Node { what: What::Element(outer), .. }) = self.tree.nodes.get_mut(*node)
        {
            outer.is_layout = true;
        }
        let is_code = matches!(tag, Tag::Preformatted | Tag::Inline);
        let class = value(attributes, "class").filter(|_| is_code).unwrap_or_default();
        let language = class.split_ascii_whitespace().find_map(|class| class.strip_prefix("language-"));
        Element {
            tag,
            is_hidden: is_hidden(tag, attributes),
            is_boilerplate: is_boilerplate(tag, attributes, self.last(Group::Text).is_some()),
            is_main: tag == Tag::Main || role == "main",
            is_ended: false,
            is_layout: matches!(&*role, "presentation" | "none"),
            number: number(if tag == Tag::Item { "value" } else { "start" }).map(|number| number as u64),
            span: (number("colspan").unwrap_or(1).max(1), number("rowspan").unwrap_or(1).max(1)),
            language: language.filter(|name| name.len() < 32).map(str::to_string),
        }
    }

    /// Ends the elements whose end a start tag `tag` implies.
    fn end_implied(&mut self, tag: Tag) {
        let barrier = self.barrier();
        let table = self.last(Group::Table);
        if tag.is_block() && self.last(Group::Paragraph) > barrier {
            self.end_last(Group::Paragraph);
        }
        match tag {
            Tag::Heading(_) => {
                let last = self.last(Group::Heading);
                if last.is_some() && last.map(|last| last + 1) == Some(self.open.len()) {
                    self.end_last(Group::Heading);
                }
            }
            Tag::Item if self.last(Group::Item) > barrier.max(self.last(Group::List)) => self.end_last(Group::Item),
            Tag::Term | Tag::Definition
                if self.last(Group::Definition) > barrier.max(self.last(Group::DefinitionList)) =>
            {
                self.end_last(Group::Definition);
            }
            Tag::Cell | Tag::Row | Tag::RowGroup | Tag::Caption => {
                let ended: &[Group] = match tag {
                    Tag::Cell => &[Group::Caption, Group::Cell],
                    Tag::Row => &[Group::Caption, Group::Row, Group::Cell],
                    _ => &[Group::Caption, Group::Rows, Group::Row, Group::Cell],
                };
                for group in ended {
                    if self.last(*group) > table {
                        self.end_last(*group);
                    }
                }
            }
            _ => {}
        }
    }

    /// Ends an inline element. Blocks opened inside it stay open.
    fn end_inline(&mut self, place: Option<usize>) {
        let Some(place) = place else { return };
        let (name, node) = self.open.get(place).map_or((0, None), |open| (open.name, open.node));
        if node.is_some() || self.last(Group::Any) < Some(place) {
            return self.end_to(place);
        }
        if let Some(open) = self.open.get_mut(place) {
            open.is_over = true;
        }
        if let Some(places) = self.places.get_mut(name) {
            places.pop();
        }
    }

    fn end_at(&mut self, place: Option<usize>) {
        if let Some(place) = place {
            self.mark_ended(Some(place));
            self.end_to(place);
        }
    }

    fn end_last(&mut self, group: Group) {
        if let Some(place) = self.last(group) {
            self.end_to(place);
        }
    }

    fn mark_ended(&mut self, place: Option<usize>) {
        let node = place.and_then(|place| self.open.get(place)).and_then(|open| open.node);
        if let Some(Node { what: What::Element(element), .. }) = node.and_then(|node| self.tree.nodes.get_mut(node)) {
            element.is_ended = true;
        }
    }

    /// Ends all open elements from the innermost to `place`, inclusive.
    fn end_to(&mut self, place: usize) {
        while self.open.len() > place
            && let Some(open) = self.open.pop()
        {
            if !open.is_over
                && let Some(places) = self.places.get_mut(open.name)
            {
                places.pop();
            }
            for group in open.group.into_iter().chain((open.is_block || open.node.is_some()).then_some(Group::Any)) {
                self.groups[group as usize].pop();
            }
            if let Some(node) = open.node {
                let end = self.tree.nodes.len();
                if let Some(node) = self.tree.nodes.get_mut(node) {
                    node.end = end;
                }
                self.goes_on = false;
            }
        }
    }

    fn push(&mut self, what: What) -> usize {
        let at = self.tree.nodes.len();
        self.tree.nodes.push(Node { what, end: at + 1 });
        self.goes_on = false;
        at
    }

    fn picture(&mut self, address: Option<Cow<'_, str>>) {
        if let Some(address) = address {
            self.push(What::Picture(address.into()));
        }
    }

    fn last(&self, group: Group) -> Option<usize> {
        self.groups[group as usize].last().copied()
    }

    /// The innermost open element that end tags do not cross.
    fn barrier(&self) -> Option<usize> {
        self.last(Group::Table).max(self.last(Group::Cell)).max(self.last(Group::Caption))
    }
}

impl Sink for Builder {
    fn raw(&self, name: &[u8]) -> Option<Raw> {
        Raw::of(name)
    }

    fn title(&mut self, text: &str) {
        // SVG pictures have titles, too.
        if self.last(Group::Unread).is_none() {
            self.tree.head.title(text);
        }
    }

    fn end_title(&mut self) {
        self.tree.head.end_title();
    }

    fn text(&mut self, text: &str) {
        let start = self.tree.text.len();
        self.tree.text.push_str(text);
        let end = self.tree.text.len();
        if self.goes_on
            && let Some(Node { what: What::Text(range), .. }) = self.tree.nodes.last_mut()
        {
            range.end = end;
            return;
        }
        self.push(What::Text(start..end));
        self.goes_on = true;
    }

    fn start(&mut self, name: &[u8], attributes: &Attributes, closes_itself: bool) {
        let tag = Tag::of(name);
        match tag {
            Tag::Frame => {
                if name == b"html" {
                    self.tree.head.language(attributes);
                }
                return;
            }
            Tag::Meta => return self.tree.head.meta(attributes),
            Tag::Image => {
                if is_hidden(tag, attributes) {
                    return;
                }
                if name == b"img" {
                    self.tree.has_picture = true;
                    self.picture(value(attributes, "src"));
                }
                if let Some(alt) = value(attributes, "alt").filter(|alt| !is_file_name(alt, attributes)) {
                    self.text(&format!(" {alt} "));
                }
                return;
            }
            Tag::Void => return,
            // Rows and cells outside of a table are text.
            Tag::RowGroup | Tag::Row | Tag::Cell | Tag::Caption if self.last(Group::Table).is_none() => {
                return self.text(" ");
            }
            _ => {}
        }
        if name == b"image" {
            let address = value(attributes, "href").or_else(|| value(attributes, "xlink:href"));
            self.picture(address);
        }
        // Elements of SVG, and HTML inside of them.
        self.tree.has_picture |= matches!(name, b"svg" | b"image" | b"picture" | b"canvas" | b"object" | b"embed");
        self.end_implied(tag);
        let tag = match tag {
            // The summary of a disclosure element.
            Tag::Button if self.last(Group::Heading).is_none() => Tag::Unread,
            tag => tag,
        };
        self.open(name, tag, attributes);
        if tag.is_void() || closes_itself {
            self.end_to(self.open.len().saturating_sub(1));
        }
    }

    fn end(&mut self, name: &[u8]) {
        let tag = Tag::of(name);
        let place = self.names.get(name).and_then(|known| self.places.get(*known)).and_then(|places| places.last());
        let (place, barrier, table) = (place.copied(), self.barrier(), self.last(Group::Table));
        match tag {
            Tag::Frame => {}
            Tag::LineBreak => self.start(name, &Attributes::new(), false),
            Tag::Heading(_) if self.last(Group::Heading) > barrier => {
                self.mark_ended(self.last(Group::Heading));
                self.end_last(Group::Heading);
            }
            // An end tag without a start tag still ends the line.
            Tag::Paragraph if place <= barrier => {
                self.push(What::Text(0..0));
                self.start(name, &Attributes::new(), false);
                self.end_last(Group::Paragraph);
            }
            Tag::Table => self.end_at(place),
            Tag::Row | Tag::RowGroup | Tag::Cell | Tag::Caption => self.end_at(place.filter(|_| place > table)),
            Tag::Inline | Tag::Apart | Tag::Quotation if place > barrier => self.end_inline(place),
            Tag::Item if place <= self.last(Group::List) => {}
            _ => self.end_at(place.filter(|_| place > barrier)),
        }
    }
}

fn group(tag: Tag) -> Option<Group> {
    Some(match tag {
        Tag::Paragraph => Group::Paragraph,
        Tag::Heading(_) => Group::Heading,
        Tag::List | Tag::Numbered => Group::List,
        Tag::Item => Group::Item,
        Tag::DefinitionList => Group::DefinitionList,
        Tag::Term | Tag::Definition => Group::Definition,
        Tag::Table => Group::Table,
        Tag::RowGroup => Group::Rows,
        Tag::Row => Group::Row,
        Tag::Cell => Group::Cell,
        Tag::Caption => Group::Caption,
        Tag::Article | Tag::Main => Group::Text,
        Tag::Header => Group::Header,
        Tag::Unread => Group::Unread,
        _ => return None,
    })
}
