//! The known texts of the fixtures, which are flat markdown, and how near to them a document is.

use std::collections::HashMap;
use std::path::PathBuf;

/// Where a fixture lies.
pub fn path(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/files").join(name)
}

/// A known text as documents are written: its notes are below the paragraphs that call them, as in the source, but
/// heads of tables have a line of marks below them, and items are as far in as the text of those that they are under.
pub fn text(name: &str) -> String {
    let source = std::fs::read_to_string(path(name)).unwrap();
    let mut text = String::new();
    let mut in_table = false;
    let mut in_code = false;
    let mut widths: Vec<usize> = Vec::new();
    for line in source.lines() {
        in_code ^= line.starts_with("```");
        let item = line.trim_start();
        let mark = item.find(' ').filter(|end| matches!(&item[..*end], "-") || item[..*end].ends_with('.'));
        let depth = (line.len() - item.len()) / 2;
        match mark {
            Some(mark) if !in_code && depth <= widths.len() => {
                widths.truncate(depth);
                text.push_str(&" ".repeat(widths.iter().sum()));
                text.push_str(item);
                widths.push(mark + 1);
            }
            _ => {
                widths.clear();
                text.push_str(line);
            }
        }
        text.push('\n');
        let is_row = line.starts_with('|');
        if is_row && !in_table {
            text.push('|');
            text.push_str(&" --- |".repeat(line.matches('|').count() - 1));
            text.push('\n');
        }
        in_table = is_row;
    }
    text
}

/// A known text with the notes of each chapter at its end, as books have them.
#[allow(dead_code, reason = "not every test that knows the texts reads books")]
pub fn text_with_notes_at_end(name: &str) -> String {
    let mut text = String::new();
    let mut notes = String::new();
    for block in self::text(name).split_inclusive("\n\n") {
        if block.starts_with("# ") {
            text.push_str(&std::mem::take(&mut notes));
        }
        if block.starts_with("[^") { &mut notes } else { &mut text }.push_str(block);
    }
    text + &notes
}

/// The words of a text: letters and digits, without marks of notes and of markdown.
pub fn words(text: &str) -> Vec<String> {
    let mut plain = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("[^") {
        plain.push_str(before);
        rest = after.split_once(']').map_or("", |(_, after)| after);
    }
    plain.push_str(rest);
    plain.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).map(str::to_string).collect()
}

/// How many of the expected words are there in their order, of 1: the longest common subsequence.
pub fn recall(expected: &[String], found: &[String]) -> f64 {
    let mut places: HashMap<&str, Vec<usize>> = HashMap::new();
    for (at, word) in found.iter().enumerate() {
        places.entry(word).or_default().push(at);
    }
    // Hunt and Szymanski: the ends of the longest rising sequences of places.
    let mut ends: Vec<usize> = Vec::new();
    for word in expected {
        for place in places.get(word.as_str()).into_iter().flatten().rev() {
            let at = ends.partition_point(|end| end < place);
            match ends.get_mut(at) {
                Some(end) => *end = *place,
                None => ends.push(*place),
            }
        }
    }
    ends.len() as f64 / expected.len() as f64
}
