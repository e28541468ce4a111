//! Splits Markdown into its top-level blocks, otherwise unchanged. Works line by line instead of with pulldown-cmark,
//! which panics on some documents and takes quadratic time on others.

use crate::Writer;
use socle_core::Result;
use socle_core::document::{BlockKind, Metadata};
use std::borrow::Cow;

/// Writes the blocks of `text` and reads its front matter as metadata.
pub(super) fn write(text: &str, writer: &mut Writer) -> Result<()> {
    let text = text.replace("\r\n", "\n").replace('\r', "\n").replace('\0', "");
    let lines: Vec<&str> = text.lines().collect();
    let start = front_matter(&lines, writer.metadata());
    write_lines(lines.get(start..).unwrap_or_default(), writer)
}

/// Writes the blocks of a text without front matter.
pub(super) fn blocks(text: &str, writer: &mut Writer) -> Result<()> {
    write_lines(&text.lines().collect::<Vec<_>>(), writer)
}

fn write_lines(mut rest: &[&str], writer: &mut Writer) -> Result<()> {
    while let Some(first) = rest.first() {
        if first.trim().is_empty() {
            rest = rest.get(1..).unwrap_or_default();
            continue;
        }
        let (kind, count) = block(rest);
        let (block, after) = rest.split_at(count.clamp(1, rest.len()));
        rest = after;
        write_block(kind, block, writer)?;
    }
    Ok(())
}

fn write_block(kind: BlockKind, lines: &[&str], writer: &mut Writer) -> Result<()> {
    if let BlockKind::Heading(level) = kind {
        // Normalises setext headings to one line.
        let text = if lines.len() > 1 { lines.get(..lines.len() - 1).unwrap_or_default() } else { lines };
        let text = text.join(" ");
        let text = text.trim().trim_start_matches('#').trim();
        return writer.heading(level, without_attributes(text.trim_end_matches('#').trim_end()));
    }
    let block = lines.join("\n");
    let block = if kind == BlockKind::Code { block.into() } else { without_pictures(&block) };
    let block = block.trim_end();
    if block.is_empty() { Ok(()) } else { writer.block(kind, block) }
}

/// A block with embedded pictures removed: only the start of `data:image/png;base64,…` is kept.
fn without_pictures(block: &str) -> Cow<'_, str> {
    const MARK: &str = ";base64,";
    if !block.contains(MARK) {
        return block.into();
    }
    let mut text = String::with_capacity(block.len());
    let mut rest = block;
    while let Some(at) = rest.find(MARK) {
        let (before, after) = rest.split_at(at + MARK.len());
        text.push_str(before);
        let packed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '/' | '=' | '%');
        let is_data = before.rfind("data:").is_some_and(|start| before.len() - start < 100);
        rest = if is_data { after.trim_start_matches(packed) } else { after };
    }
    text.push_str(rest);
    text.into()
}

/// A heading without a trailing `{#name}` attribute.
fn without_attributes(text: &str) -> &str {
    match text.rfind("{#").or_else(|| text.rfind("{.")) {
        Some(start) if text.ends_with('}') => text.get(..start).unwrap_or(text).trim_end(),
        _ => text,
    }
}

/// Reads the front matter, in YAML or TOML, into the metadata. Returns its number of lines.
fn front_matter(lines: &[&str], metadata: &mut Metadata) -> usize {
    let Some(mark @ ("---" | "+++")) = lines.first().map(|line| line.trim_end()) else { return 0 };
    let is_end = |line: &&str| line.trim_end() == mark || (mark == "---" && line.trim_end() == "...");
    let Some(end) = lines.iter().skip(1).position(is_end).filter(|end| *end > 0) else { return 0 };
    let inside = lines.get(1..=end).unwrap_or_default();
    if !is_metadata(inside, mark == "---") {
        return 0;
    }
    for line in inside {
        let Some((name, value)) = line.split_once(if mark == "---" { ':' } else { '=' }) else { continue };
        let value = value.trim().trim_matches(['"', '\'', '[', ']']).trim().replace(['"', '\''], "");
        let slot = match name.trim().to_ascii_lowercase().as_str() {
            "title" => &mut metadata.title,
            "author" | "authors" => &mut metadata.author,
            "lang" | "language" => &mut metadata.language,
            "date" | "created" | "published" => &mut metadata.created,
            "updated" | "modified" | "lastmod" => &mut metadata.modified,
            _ => continue,
        };
        *slot = Some(value).filter(|value| !value.is_empty());
    }
    for slot in [&mut metadata.created, &mut metadata.modified] {
        *slot = slot.as_deref().and_then(crate::timestamp::rfc_3339);
    }
    end + 2
}

/// Whether the lines between two delimiters are front matter and not text between two thematic breaks: each must be
/// plausible YAML (`yaml`) or TOML. In doubt, they are text, so that none is lost.
fn is_metadata(lines: &[&str], yaml: bool) -> bool {
    let has_key = |line: &str| {
        let Some((name, value)) = line.split_once(if yaml { ':' } else { '=' }) else { return false };
        let name = name.trim_end();
        let is_quoted = name.len() > 2 && (name.starts_with('"') && name.ends_with('"'));
        let is_word = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.');
        let is_name = !name.is_empty() && name.chars().all(is_word) && !name.starts_with('-');
        (is_name || is_quoted) && (!yaml || value.is_empty() || value.starts_with([' ', '\t']))
    };
    // Indented lines, comments, list items, tables, and ends of multi-line lists.
    let goes_on: &[char] = if yaml { &[' ', '\t', '#', ']', '}'] } else { &[' ', '\t', '#', '[', ']', '}'] };
    let is_item = |line: &str| yaml && (line == "-" || line.starts_with("- "));
    let belongs = |line: &str| line.trim().is_empty() || line.starts_with(goes_on) || is_item(line.trim_end());
    lines.first().is_some_and(|line| !line.trim().is_empty())
        && lines.iter().any(|line| has_key(line))
        && lines.iter().all(|line| belongs(line) || has_key(line))
}

/// The kind and the number of lines of the block at the start of `lines`.
fn block(lines: &[&str]) -> (BlockKind, usize) {
    let first = lines.first().copied().unwrap_or_default();
    if let Some(level) = heading(first) {
        return (BlockKind::Heading(level), 1);
    }
    if let Some((mark, length)) = fence(first) {
        let ends = |line: &&str| {
            let line = line.trim();
            line.len() >= length && line.chars().all(|c| c == mark)
        };
        let end = lines.iter().skip(1).position(ends).map_or(lines.len(), |end| end + 2);
        return (BlockKind::Code, end);
    }
    if indent(first) >= 4 {
        let code = lines.iter().take_while(|line| line.trim().is_empty() || indent(line) >= 4).count();
        return (BlockKind::Code, code - trailing_empty(lines.get(..code).unwrap_or_default()));
    }
    if item(first).is_some() {
        return (BlockKind::List, list(lines));
    }
    if lines.get(1).is_some_and(|line| is_table_rule(line)) && first.contains('|') {
        let end = lines.iter().skip(2).take_while(|line| !line.trim().is_empty() && line.contains('|')).count();
        return (BlockKind::Table, end + 2);
    }
    paragraph(lines)
}

/// A paragraph continues to an empty line or the start of another block; a setext underline makes it a heading.
fn paragraph(lines: &[&str]) -> (BlockKind, usize) {
    let is_quote = lines.first().is_some_and(|line| line.trim_start().starts_with('>'));
    for (at, line) in lines.iter().enumerate().skip(1) {
        let trimmed = line.trim();
        let is_rule = |mark: char| indent(line) < 4 && !trimmed.is_empty() && trimmed.chars().all(|c| c == mark);
        if trimmed.is_empty() || heading(line).is_some() || fence(line).is_some() {
            return (BlockKind::Paragraph, at);
        }
        if !is_quote && (is_rule('=') || is_rule('-')) {
            return (BlockKind::Heading(if is_rule('=') { 1 } else { 2 }), at + 1);
        }
        // Inside a paragraph, only the number 1 starts a list.
        let begins = item(line).is_some_and(|number| number.is_none_or(|number| number == 1));
        let quotes = trimmed.starts_with('>') != is_quote && !is_quote;
        if begins || quotes {
            return (BlockKind::Paragraph, at);
        }
    }
    (BlockKind::Paragraph, lines.len())
}

/// Number of lines of a list: its items, indented content, and lazy continuation lines.
fn list(lines: &[&str]) -> usize {
    let mut count = 0;
    let mut after_empty = false;
    let mut fenced = None;
    for line in lines {
        let is_empty = line.trim().is_empty();
        if let Some((mark, length)) = fenced {
            if line.trim().len() >= length && line.trim().chars().all(|c| c == mark) {
                fenced = None;
            }
        } else {
            let inside = indent(line) >= 2 || item(line).is_some();
            let ends = (after_empty && !inside) || heading(line).is_some() || (!inside && fence(line).is_some());
            if !is_empty && ends {
                break;
            }
            fenced = fence(line).filter(|_| indent(line) >= 2);
        }
        after_empty = is_empty;
        count += 1;
    }
    count - trailing_empty(lines.get(..count).unwrap_or_default())
}

fn trailing_empty(lines: &[&str]) -> usize {
    lines.iter().rev().take_while(|line| line.trim().is_empty()).count()
}

/// Indentation of a line in columns.
fn indent(line: &str) -> usize {
    line.chars().take_while(|c| matches!(c, ' ' | '\t')).map(|c| if c == '\t' { 4 } else { 1 }).sum()
}

fn heading(line: &str) -> Option<u8> {
    let text = line.trim_start();
    let marks = text.chars().take_while(|c| *c == '#').count();
    let after = text.get(marks..)?;
    let is_heading =
        indent(line) < 4 && (1..=6).contains(&marks) && (after.is_empty() || after.starts_with([' ', '\t']));
    u8::try_from(marks).ok().filter(|_| is_heading)
}

/// Character and length of a code fence; `None` for other lines.
fn fence(line: &str) -> Option<(char, usize)> {
    let text = line.trim_start();
    let mark = text.chars().next().filter(|c| matches!(c, '`' | '~'))?;
    let length = text.chars().take_while(|c| *c == mark).count();
    let info = text.get(length..)?;
    (length >= 3 && (mark == '~' || !info.contains('`'))).then_some((mark, length))
}

/// The number of a list item, `Some(None)` for a bullet; `None` for other lines.
fn item(line: &str) -> Option<Option<u64>> {
    let text = line.trim_start();
    let is_rule = text.len() >= 3 && text.chars().all(|c| matches!(c, '-' | '*' | '_' | ' '));
    let rest = text.strip_prefix(['-', '*', '+']);
    if let Some(rest) = rest.filter(|_| !is_rule || text.chars().filter(|c| *c != ' ').count() < 3) {
        return (rest.is_empty() || rest.starts_with([' ', '\t'])).then_some(None);
    }
    let digits = text.chars().take_while(char::is_ascii_digit).count();
    let rest = text.get(digits..)?.strip_prefix(['.', ')'])?;
    let number = text.get(..digits)?.parse().ok().filter(|_| digits <= 9)?;
    (rest.is_empty() || rest.starts_with([' ', '\t'])).then_some(Some(number))
}

fn is_table_rule(line: &str) -> bool {
    let line = line.trim();
    line.contains('-') && line.contains('|') && line.chars().all(|c| matches!(c, '-' | '|' | ':' | ' '))
}
