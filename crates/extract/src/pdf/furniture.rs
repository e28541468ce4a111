//! Running heads, running feet and page numbers: what stands at the same place of many pages and belongs to none.

use super::line::Line;
use std::collections::HashMap;

/// So many rows from the edge of a page are looked at.
const ROWS: usize = 3;
/// A head may move by this many points from page to page.
const NEAR: f32 = 4.0;
/// From this many pages on, a repeated text is a running head.
const REPEATED: usize = 3;

/// A line near the edge of a page.
struct Edge {
    page: usize,
    line: usize,
    /// Its text with all numbers alike.
    text: String,
    y: f32,
    /// Number, if it is one, less the position of the page.
    offset: Option<i64>,
    lower: bool,
    /// Rows between it and the edge of the page.
    depth: usize,
}

/// Takes running heads and page numbers out of the pages, each given as its lines from top to bottom.
pub(super) fn remove(pages: &mut [Vec<Line>]) {
    let edges: Vec<Edge> = pages.iter().enumerate().flat_map(|(at, lines)| edges(at, lines)).collect();
    let mut gone: HashMap<usize, Vec<usize>> = HashMap::new();
    for edge in repeated(&edges).into_iter().chain(numbers(&edges, pages.len())) {
        gone.entry(edge.page).or_default().push(edge.line);
    }
    for (page, list) in gone {
        if let Some(lines) = pages.get_mut(page) {
            let mut at = 0;
            lines.retain(|_| {
                at += 1;
                !list.contains(&(at - 1))
            });
        }
    }
}

/// The lines in the first and the last rows of a page.
fn edges(page: usize, lines: &[Line]) -> Vec<Edge> {
    let mut edges = Vec::new();
    let mut row = 0;
    let mut from: Option<f32> = None;
    for (at, line) in lines.iter().enumerate() {
        if from.is_some_and(|y| line.y - y > 0.5 * line.size) {
            row += 1;
        }
        from = Some(line.y);
        if row >= ROWS {
            break;
        }
        edges.push(edge(page, at, line, false, row));
    }
    (row, from) = (0, None);
    for (at, line) in lines.iter().enumerate().rev() {
        if from.is_some_and(|y| y - line.y > 0.5 * line.size) {
            row += 1;
        }
        from = Some(line.y);
        if row >= ROWS {
            break;
        }
        edges.push(edge(page, at, line, true, row));
    }
    edges
}

fn edge(page: usize, at: usize, line: &Line, lower: bool, depth: usize) -> Edge {
    let text = line.text();
    let offset = number(&text).and_then(|number| number.checked_sub(i64::try_from(page).ok()?));
    Edge { page, line: at, text: alike(&text), y: line.y, offset, lower, depth }
}

/// Lines whose text stands at the same height of several pages.
fn repeated(edges: &[Edge]) -> Vec<&Edge> {
    let mut groups: HashMap<(bool, &str), Vec<&Edge>> = HashMap::new();
    for edge in edges.iter().filter(|edge| edge.text.chars().any(char::is_alphabetic)) {
        groups.entry((edge.lower, edge.text.as_str())).or_default().push(edge);
    }
    let mut found = Vec::new();
    for mut group in groups.into_values() {
        group.sort_by(|a, b| a.y.total_cmp(&b.y));
        let Some(middle) = group.get(group.len() / 2).map(|edge| edge.y) else { continue };
        group.retain(|edge| (edge.y - middle).abs() < NEAR);
        let mut pages: Vec<usize> = group.iter().map(|edge| edge.page).collect();
        pages.sort_unstable();
        pages.dedup();
        if pages.len() >= REPEATED {
            found.extend(group);
        }
    }
    found
}

/// Numbers in the first or last row that count with the pages, on at least half of them.
fn numbers(edges: &[Edge], pages: usize) -> Vec<&Edge> {
    let mut groups: HashMap<(bool, i64), Vec<&Edge>> = HashMap::new();
    for edge in edges.iter().filter(|edge| edge.depth == 0) {
        if let Some(offset) = edge.offset {
            groups.entry((edge.lower, offset)).or_default().push(edge);
        }
    }
    let enough = |group: &Vec<&Edge>| group.len() >= 2 && group.len() * 2 >= pages;
    let Some(found) = groups.into_values().filter(enough).max_by_key(Vec::len) else { return Vec::new() };
    let lower = found.first().is_some_and(|edge| edge.lower);
    // Pages before the first chapter count in Roman numbers.
    let roman = edges.iter().filter(|edge| edge.depth == 0 && edge.lower == lower && is_roman(&edge.text));
    let roman: Vec<&Edge> = roman.collect();
    found.into_iter().chain(roman).collect()
}

/// A text with all numbers alike.
fn alike(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            c if c.is_ascii_digit() => {
                if !out.ends_with('#') {
                    out.push('#');
                }
            }
            c => out.push(c),
        }
    }
    out
}

/// The number of a page, as "7", "- 7 -", "Page 7", "7/12" and "Seite 7 von 12".
fn number(text: &str) -> Option<i64> {
    const WORDS: [&str; 12] =
        ["page", "seite", "strona", "página", "pagina", "p.", "s.", "str.", "of", "von", "sur", "de"];
    let mut numbers = Vec::new();
    for part in text.split(|c: char| c.is_whitespace() || matches!(c, '/' | '-' | '–' | '—' | '|' | '[' | ']')) {
        match part.parse::<i64>() {
            Ok(number) if part.len() < 6 => numbers.push(number),
            _ if part.is_empty() || WORDS.contains(&part.to_lowercase().as_str()) || part == "z" => {}
            _ => return None,
        }
    }
    if numbers.len() > 2 { None } else { numbers.first().copied() }
}

fn is_roman(text: &str) -> bool {
    !text.is_empty() && text.len() < 8 && text.bytes().all(|b| matches!(b, b'i' | b'v' | b'x' | b'l'))
}
