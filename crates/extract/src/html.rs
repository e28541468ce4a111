//! Extracts the main text of HTML, parsed as browsers do, without navigation and scripts.
//!
//! Uses the WHATWG tokenizer and a simplified tree, because the tree construction of the standard takes quadratic time
//! on deep nesting. Ignores style sheets: text hidden by a class is extracted.

mod boilerplate;
mod metadata;
pub(crate) mod name;
mod render;
mod table;
#[cfg(test)]
mod tests;
pub(crate) mod token;
mod tree;
mod white_space;

use crate::Writer;
use crate::encoding::{declared, decode};
use crate::picture::{of_data_url, write_referenced};
use name::Tag;
use socle_core::Result;
use std::ops::Range;
use tree::{Builder, Element, Keep, Tree, What};

/// A main part with fewer non-space characters is compared with the rest of the page before it is chosen.
const SHORT: usize = 200;

/// Reads the document and writes it as Markdown.
///
/// # Errors
/// As [`crate::extract`].
pub fn read(bytes: &[u8], writer: &mut Writer) -> Result<()> {
    let source = decode(bytes, declared(bytes).as_deref());
    let mut tree = parse(&source);
    std::mem::take(&mut tree.head).write(writer.metadata());
    note_pictures(&tree, writer);
    let begin = writer.length();
    let (title, range, keep) = choose(&tree);
    if let Some(title) = title {
        render::render(&tree, title, keep, writer)?;
    }
    render::render(&tree, range, keep, writer)?;
    write_referenced(begin..writer.length(), writer, &mut |address, _| Ok(of_data_url(address))).map(drop)
}

fn note_pictures(tree: &Tree, writer: &mut Writer) {
    if tree.has_picture {
        writer.picture();
    }
}

/// Writes HTML that is not a web page, as in mails and books: all visible text, without removing boilerplate. Its pictures
/// are noted, and their text is left to the caller.
pub(crate) fn body(html: &str, writer: &mut Writer) -> Result<()> {
    let tree = parse(html);
    note_pictures(&tree, writer);
    let all = 0..tree.nodes.len();
    let keep = if length(&tree, &all, Keep::Seen) > 0 { Keep::Seen } else { Keep::All };
    render::render(&tree, all, keep, writer)
}

fn parse(source: &str) -> Tree {
    // Browsers recognise XHTML by its media type, which is not known here.
    let xml = source.trim_start().starts_with("<?xml");
    token::read(source, xml, Builder::default()).finish()
}

/// The nodes to write, and those of a title before them. An element marked as the main part is only chosen if it has a
/// reasonable share of the text.
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

/// Outermost elements in `range` that satisfy `is` and are not boilerplate.
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

/// Number of non-space characters in a range of nodes.
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
            What::Picture(_) | What::Element(_) => {}
        }
    }
    length
}
