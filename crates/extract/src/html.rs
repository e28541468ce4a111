//! HTML as browsers read it: what a reader would read, without navigation and scripts.
//!
//! Built on the tokenizer of WHATWG and a tree of our own, because a whole tree as browsers build it takes quadratic
//! time on deep nesting. Knows no style sheets: text hidden by a class is text.

mod furniture;
mod head;
pub(crate) mod name;
mod render;
mod table;
#[cfg(test)]
mod tests;
pub(crate) mod token;
mod tree;

use crate::Writer;
use crate::text::decode;
pub(crate) use head::time;
use name::Tag;
use socle_core::Result;
use std::ops::Range;
use tree::{Builder, Element, Tree, What};

/// Bytes in which a page declares its encoding.
const PROLOG: usize = 4096;
/// A part with fewer characters, other than white space, may be almost nothing of the text.
const SHORT: usize = 200;

/// Writes what the document says.
///
/// # Errors
/// See [`crate::extract`].
pub fn read(bytes: &[u8], writer: &mut Writer) -> Result<()> {
    let source = decode(bytes, declared(bytes).as_deref());
    let mut tree = parse(&source);
    std::mem::take(&mut tree.head).write(writer.metadata());
    if tree.has_picture {
        writer.picture();
    }
    let (title, range, keep) = choose(&tree);
    if let Some(title) = title {
        render::render(&tree, title, keep, writer)?;
    }
    render::render(&tree, range, keep, writer)
}

/// Writes HTML that is a text and not a page, as in mails and books: all that is seen.
pub(crate) fn body(html: &str, writer: &mut Writer) -> Result<()> {
    let tree = parse(html);
    if tree.has_picture {
        writer.picture();
    }
    let all = 0..tree.nodes.len();
    let keep = if length(&tree, &all, Keep::Seen) > 0 { Keep::Seen } else { Keep::All };
    render::render(&tree, all, keep, writer)
}

fn parse(source: &str) -> Tree {
    // Browsers tell XHTML by its media type, which a file does not have.
    let xml = source.trim_start().starts_with("<?xml");
    token::read(source, xml, Builder::default()).finish()
}

/// The encoding that a page declares in its first bytes.
pub(crate) fn declared(bytes: &[u8]) -> Option<String> {
    let prolog = String::from_utf8_lossy(bytes.get(..PROLOG).unwrap_or(bytes)).to_ascii_lowercase();
    let label = |text: &str, mark: &str| {
        let (_, value) = text.split_once(mark)?;
        let value = value.trim_start().strip_prefix('=')?.trim_start().trim_start_matches(['"', '\'']);
        let end =
            value.find(|c: char| !c.is_ascii_alphanumeric() && !matches!(c, '-' | '_' | ':')).unwrap_or(value.len());
        value.get(..end).filter(|label| !label.is_empty()).map(str::to_string)
    };
    let xml = prolog.trim_start().strip_prefix("<?xml").and_then(|rest| rest.split_once("?>"));
    xml.and_then(|(declaration, _)| label(declaration, "encoding"))
        .or_else(|| prolog.split("<meta").skip(1).find_map(|meta| label(meta.split('>').next()?, "charset")))
}

/// How much of a page is kept.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Keep {
    /// The text alone.
    Text,
    /// All that is seen.
    Seen,
    /// What is hidden too.
    All,
}

impl Keep {
    fn drops(self, element: &Element) -> bool {
        element.tag == Tag::Unread
            || (element.is_hidden && self != Self::All)
            || (element.is_furniture && self == Self::Text)
    }
}

/// The nodes to be written, with those of a title that stands before them. What looks like the text is only taken for
/// it if it is not next to nothing beside the rest.
fn choose(tree: &Tree) -> (Option<Range<usize>>, Range<usize>, Keep) {
    let all = 0..tree.nodes.len();
    let seen = length(tree, &all, Keep::Seen);
    if seen == 0 {
        return (None, all, Keep::All);
    }
    let text = length(tree, &all, Keep::Text);
    if text < SHORT && text * 5 < seen {
        return (None, all, Keep::Seen);
    }
    let title = find(tree, all.clone(), |element| element.tag == Tag::Heading(1)).next();
    let mains = find(tree, all.clone(), |element| element.is_main);
    let longest = mains.map(|part| (length(tree, &part, Keep::Text), part)).max_by_key(|(length, _)| *length);
    if let Some((length, main)) = longest
        && (length >= SHORT || length * 5 >= text)
        && length * 20 >= text
    {
        return (title.filter(|title| title.end <= main.start), main, Keep::Text);
    }
    let mut articles = find(tree, all.clone(), |element| element.tag == Tag::Article);
    if let (Some(article), None) = (articles.next(), articles.next())
        && length(tree, &article, Keep::Text) * 2 >= text
    {
        return (title.filter(|title| title.end <= article.start), article, Keep::Text);
    }
    (None, all, Keep::Text)
}

/// Elements of a kind that are in no other of it, in what is the text.
fn find(tree: &Tree, range: Range<usize>, is: impl Fn(&Element) -> bool) -> impl Iterator<Item = Range<usize>> {
    let mut at = range.start;
    std::iter::from_fn(move || {
        while at < range.end {
            let node = tree.nodes.get(at)?;
            let start = at;
            at += 1;
            if let What::Element(element) = &node.what {
                if Keep::Text.drops(element) {
                    at = node.end;
                } else if is(element) {
                    at = node.end;
                    return Some(start..node.end);
                }
            }
        }
        None
    })
}

/// Characters, other than white space, in a part.
fn length(tree: &Tree, range: &Range<usize>, keep: Keep) -> usize {
    let (mut at, mut length) = (range.start, 0);
    while at < range.end
        && let Some(node) = tree.nodes.get(at)
    {
        at += 1;
        match &node.what {
            What::Text(text) => {
                let text = tree.text.get(text.clone()).unwrap_or_default();
                length += text.chars().filter(|c| !c.is_whitespace()).count();
            }
            What::Element(element) if keep.drops(element) => at = node.end,
            What::Element(_) => {}
        }
    }
    length
}
