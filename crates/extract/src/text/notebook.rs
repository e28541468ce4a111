//! Jupyter notebooks: Markdown cells, code cells, and the text of their outputs. Pictures are left out.

use super::markdown;
use crate::Writer;
use serde_json::Value;
use socle_core::Result;

/// Media type of Jupyter notebooks.
const MEDIA_TYPE: &str = "application/x-ipynb+json";

/// Whether a text contains the keys of a notebook; a quick check before parsing.
pub(super) fn is_likely(text: &str) -> bool {
    text.contains("\"nbformat\"") && (text.contains("\"cells\"") || text.contains("\"worksheets\""))
}

/// Parses a notebook; `None` for other text.
pub(super) fn parse(text: &str) -> Option<Value> {
    (text.starts_with('{') && is_likely(text)).then_some(())?;
    let book: Value = serde_json::from_str(text).ok()?;
    (book.get("nbformat")?.is_number() && cells(&book).next().is_some()).then_some(book)
}

/// The cells; before version 4, they are in worksheets.
fn cells(book: &Value) -> impl Iterator<Item = &Value> {
    let sheets = list(book, "worksheets").flat_map(|sheet| list(sheet, "cells"));
    list(book, "cells").chain(sheets)
}

pub(super) fn write(book: &Value, writer: &mut Writer) -> Result<()> {
    writer.metadata().media_type = MEDIA_TYPE.to_string();
    let about = book.get("metadata");
    let language = [("kernelspec", "language"), ("language_info", "name")]
        .into_iter()
        .find_map(|(part, name)| about?.get(part)?.get(name)?.as_str());
    writer.metadata().title = about.and_then(|about| about.get("title")?.as_str()).map(str::to_string);
    for cell in cells(book) {
        let source = text(cell.get("source").or_else(|| cell.get("input")));
        match cell.get("cell_type").and_then(Value::as_str) {
            Some("code") => {
                let language = cell.get("language").and_then(Value::as_str).or(language).filter(|name| is_name(name));
                writer.code(language, &source)?;
                list(cell, "outputs").try_for_each(|output| self::output(output, writer))?;
            }
            Some("heading") => {
                let level = cell.get("level").and_then(Value::as_u64).unwrap_or(1);
                writer.heading(u8::try_from(level).unwrap_or(6), &source)?;
            }
            Some("raw") => writer.code(None, &source)?,
            // Front matter of a cell is not metadata of the notebook.
            _ => markdown::blocks(&source, writer)?,
        }
    }
    Ok(())
}

/// Writes an output of code: of several representations, the plain text.
fn output(output: &Value, writer: &mut Writer) -> Result<()> {
    let kind = output.get("output_type").and_then(Value::as_str).unwrap_or_default();
    if matches!(kind, "error" | "pyerr") {
        let part = |name: &str| output.get(name).and_then(Value::as_str).unwrap_or_default();
        return writer.code(None, &format!("{}: {}", part("ename"), part("evalue")));
    }
    let data = output.get("data").unwrap_or(output);
    let has_picture = data.as_object().is_some_and(|data| data.keys().any(|name| is_picture(name)));
    let plain = ["text/plain", "text"].into_iter().find_map(|name| data.get(name));
    if has_picture {
        // "<Figure size 640x480 with 1 Axes>" is only a description of a picture.
        writer.picture();
        return Ok(());
    }
    match (plain, data.get("text/markdown"), data.get("text/html")) {
        (_, Some(source), _) => markdown::blocks(&text(Some(source)), writer),
        (Some(plain), ..) => writer.code(None, &without_colours(&text(Some(plain)))),
        (None, None, Some(html)) => crate::html::body(&text(Some(html)), writer),
        (None, None, None) => Ok(()),
    }
}

fn is_picture(name: &str) -> bool {
    matches!(name, "png" | "jpeg" | "svg") || name.starts_with("image/")
}

fn list<'a>(value: &'a Value, name: &str) -> impl Iterator<Item = &'a Value> {
    value.get(name).and_then(Value::as_array).into_iter().flatten()
}

/// A multi-line string, which may be stored as a list of lines.
fn text(value: Option<&Value>) -> String {
    match value {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Array(lines)) => lines.iter().filter_map(Value::as_str).collect(),
        _ => String::new(),
    }
}

/// Whether a language name may follow a code fence.
fn is_name(name: &str) -> bool {
    name.len() < 32 && name.chars().all(|c| c.is_alphanumeric() || matches!(c, '+' | '-' | '#' | '.' | '_'))
}

/// Removes ANSI escape sequences.
fn without_colours(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut parts = text.split("\u{1b}[");
    plain.push_str(parts.next().unwrap_or_default());
    for part in parts {
        let end = part.find(|c: char| c.is_ascii_alphabetic()).map_or(0, |end| end + 1);
        plain.push_str(part.get(end..).unwrap_or_default());
    }
    plain
}
