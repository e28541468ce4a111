//! Removes running headers, running footers and page numbers: lines in the margins that repeat on many pages, apart
//! from the page number. The first occurrence of a running header or footer is kept.

use super::Sheet;
use super::line::Line;
use super::page_number::{PageNumber, page_number};
use std::collections::{BTreeMap, BTreeSet};

/// Number of rows at each edge of a page that are examined, and the fraction of the height in which they must lie.
const EDGE_ROWS: usize = 3;
const EDGE_FRACTION: f32 = 0.2;
/// Tolerance of the position of a header from page to page, in points.
const POSITION_TOLERANCE: f32 = 4.0;
/// Minimum step between a header and the text: as a multiple of the font size, and of the line step of the text.
const MARGIN_STEP: f32 = 1.6;
const MARGIN_STEP_FACTOR: f32 = 1.25;
/// Maximum line step of text, as a multiple of the font size.
const MAX_LINE_STEP: f32 = 2.4;
/// Font size of a header relative to that of the text: up to the first factor it is small and must repeat on 3 pages,
/// up to the second it may be text and must repeat on 5. A header that the document tags as such must repeat on 2.
const SMALL_FACTOR: f32 = 0.97;
const LARGE_FACTOR: f32 = 1.05;
/// Upper bound for a page number with a label such as "Page", relative to the font size of the text.
const LARGE_FACTOR_LABELLED: f32 = 1.3;
const MIN_PAGES_SMALL: usize = 3;
const MIN_PAGES_LARGE: usize = 5;
const MIN_PAGES_TAGGED: usize = 2;
/// Maximum difference between a page number and the index of its page, as after front matter.
const MAX_OFFSET: i64 = 20;
/// A number nearer than this to other words on its row, as a multiple of the font size, belongs to them.
const NUMBER_GAP: f32 = 3.0;

/// Text within this distance after other words on its row, as a multiple of the font size, may be labelled by them.
const LABEL_GAP: f32 = 12.0;
/// Maximum number of lines examined per page.
const MAX_EDGES: usize = 500;

/// A line, by the index of its page and its index there.
type Position = (usize, usize);

/// A line near the edge of a page, or tagged as a header or footer by the document.
struct Edge {
    place: Position,
    lower: bool,
    /// Number of rows between it and the edge of the page.
    depth: usize,
    /// Distance from the edge of the page in points.
    distance: f32,
    size: f32,
    bold: bool,
    tagged: bool,
    text: String,
    number: Option<PageNumber>,
}

impl Edge {
    /// Its row: the page, the edge, and the number of rows from there.
    fn row(&self) -> (usize, bool, usize) {
        (self.place.0, self.lower, self.depth)
    }
}

/// Lines at about the same height.
struct Row {
    lines: std::ops::Range<usize>,
    y: f32,
    size: f32,
}

/// Running headers, footers and page numbers: those to remove, and first occurrences to keep.
#[derive(Default)]
struct MarginLines {
    removed: BTreeSet<Position>,
    kept: BTreeSet<Position>,
    /// Labels of varying text, which stay.
    labels: BTreeSet<Position>,
}

impl MarginLines {
    fn has(&self, place: Position) -> bool {
        self.removed.contains(&place) || self.kept.contains(&place)
    }
}

/// Removes page numbers, and moves the first occurrences of running headers and footers out of the lines.
pub(super) fn remove(sheets: &mut [Sheet]) {
    if sheets.len() < 2 {
        return;
    }
    let rows: Vec<Vec<Row>> = sheets.iter().map(|sheet| rows(&sheet.lines)).collect();
    let margin = margin(&rows);
    let edges: Vec<Edge> = sheets
        .iter()
        .zip(&rows)
        .enumerate()
        .flat_map(|(page, (sheet, rows))| edges(page, sheet, rows, margin))
        .collect();
    let mut margin_lines = MarginLines::default();
    let body = body(sheets, &edges);
    let numbers = numbers(sheets, &edges, body);
    repeated(&edges, body, &numbers, &mut margin_lines);
    let counted: BTreeSet<Position> = numbers.iter().map(|number| number.edge.place).collect();
    for edge in edges.iter().filter(|edge| !edge.tagged) {
        if is_label(edge, sheets, &rows, &margin_lines, &counted) {
            margin_lines.labels.insert(edge.place);
        }
    }
    margin_lines.removed.retain(|place| !margin_lines.labels.contains(place));
    margin_lines.kept.retain(|place| !margin_lines.labels.contains(place));
    let free = numbers.iter().filter(|number| is_free(number, sheets, &rows, &margin_lines));
    let free: Vec<Position> = free.map(|number| number.edge.place).collect();
    margin_lines.removed.extend(free);
    for (page, sheet) in sheets.iter_mut().enumerate() {
        let bottom = sheet.bottom;
        let mut at = 0;
        let mut kept = Vec::new();
        sheet.lines.retain(|line| {
            at += 1;
            let place = (page, at - 1);
            if margin_lines.kept.contains(&place) {
                kept.push(line.clone());
            }
            !margin_lines.kept.contains(&place) && !margin_lines.removed.contains(&place)
        });
        (sheet.head, sheet.foot) = kept.into_iter().partition(|line| line.y < bottom / 2.0);
    }
    watermarks(sheets);
}

/// Groups the lines of a page into rows.
fn rows(lines: &[Line]) -> Vec<Row> {
    let mut rows: Vec<Row> = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        match rows.last_mut().filter(|row| line.y - row.y <= 0.5 * line.size) {
            Some(row) => {
                row.lines.end = at + 1;
                (row.y, row.size) = (line.y, row.size.max(line.size));
            }
            None => rows.push(Row { lines: at..at + 1, y: line.y, size: line.size }),
        }
    }
    rows
}

/// Minimum step between header and text, as a multiple of the font size, given the steps between rows of the text.
fn margin(rows: &[Vec<Row>]) -> f32 {
    let mut steps: Vec<f32> = rows.iter().flat_map(|rows| rows.windows(2).filter_map(step)).collect();
    steps.sort_by(f32::total_cmp);
    // The larger steps are those between paragraphs and table rows.
    let usual = steps.get(steps.len() / 3).copied().unwrap_or_default();
    MARGIN_STEP.max(MARGIN_STEP_FACTOR * usual.min(MAX_LINE_STEP))
}

fn step(pair: &[Row]) -> Option<f32> {
    let [above, below] = pair else { return None };
    let size = above.size.max(below.size);
    (size > 0.0).then_some((below.y - above.y) / size)
}

/// The lines in the margins of a page.
fn edges(page: usize, sheet: &Sheet, rows: &[Row], margin: f32) -> Vec<Edge> {
    // The margin ends with the last wide step among the first rows. A single row is margin.
    let wide: Vec<bool> = rows.windows(2).map(|pair| step(pair).is_some_and(|step| step > margin)).collect();
    let mut upper = wide.iter().take(EDGE_ROWS).rposition(|is| *is).map_or(0, |at| at + 1);
    let mut lower = wide.iter().rev().take(EDGE_ROWS).rposition(|is| *is).map_or(0, |at| at + 1);
    if let [row] = rows {
        (upper, lower) = if row.y < sheet.bottom / 2.0 { (1, 0) } else { (0, 1) };
    }
    let mut edges = Vec::new();
    for (at, row) in rows.iter().enumerate() {
        for line in row.lines.clone() {
            let Some(found) = sheet.lines.get(line).filter(|_| edges.len() < MAX_EDGES) else { continue };
            let from_below = rows.len() - 1 - at;
            let in_upper = at < upper && found.y < EDGE_FRACTION * sheet.bottom;
            let in_lower = from_below < lower && found.y > (1.0 - EDGE_FRACTION) * sheet.bottom;
            let nearer = found.y >= sheet.bottom / 2.0;
            for (is, lower, depth) in [(in_upper, false, at), (in_lower, true, from_below)] {
                let tagged = found.tagged && nearer == lower;
                if !is && !tagged {
                    continue;
                }
                let text = found.text();
                let distance = if lower { sheet.bottom - found.y } else { found.y };
                let number = page_number(&text);
                let (size, bold, tagged) = (found.size, found.bold, found.tagged);
                edges.push(Edge { place: (page, line), lower, depth, distance, size, bold, tagged, text, number });
            }
        }
    }
    edges
}

/// Most common font size outside of the margins.
fn body(sheets: &[Sheet], edges: &[Edge]) -> f32 {
    let margins: BTreeSet<Position> = edges.iter().map(|edge| edge.place).collect();
    let lines =
        || sheets.iter().enumerate().flat_map(|(page, sheet)| (0..).map(move |at| (page, at)).zip(&sheet.lines));
    let within = super::writing::body(lines().filter(|(place, _)| !margins.contains(place)).map(|(_, line)| line));
    within.or_else(|| super::writing::body(lines().map(|(_, line)| line))).unwrap_or_default().size
}

/// Finds lines with the same text, apart from the page number, at the same height of several pages.
fn repeated(edges: &[Edge], body: f32, numbers: &[Number<'_>], margin_lines: &mut MarginLines) {
    let rows: BTreeSet<(usize, bool, usize)> =
        numbers.iter().filter(|number| number.sure).map(|number| number.edge.row()).collect();
    let mut groups: BTreeMap<(bool, &str, Option<i64>), Vec<&Edge>> = BTreeMap::new();
    for edge in edges {
        let beside = edge.number.as_ref().filter(|number| !number.rest.is_empty());
        let (text, offset) = match beside {
            Some(number) => (number.rest.as_str(), Some(offset(number, edge))),
            None => (edge.text.as_str(), None),
        };
        if edge.tagged || rows.contains(&edge.row()) || text.chars().any(char::is_alphabetic) {
            groups.entry((edge.lower, text, offset)).or_default().push(edge);
        }
    }
    for group in groups.into_values().map(at_one_height) {
        let pages: BTreeSet<usize> = group.iter().map(|edge| edge.place.0).collect();
        let Some(first) = pages.first().copied().filter(|_| enough(&group, pages.len(), body, &rows)) else { continue };
        for edge in group {
            if edge.place.0 == first {
                margin_lines.kept.insert(edge.place)
            } else {
                margin_lines.removed.insert(edge.place)
            };
        }
    }
}

/// The lines of a group that are as far from the edge as others. Left and right pages may differ.
fn at_one_height(mut group: Vec<&Edge>) -> Vec<&Edge> {
    group.sort_by(|a, b| a.distance.total_cmp(&b.distance).then(a.place.cmp(&b.place)));
    let near = |a: &&Edge, b: &&Edge| b.distance - a.distance < POSITION_TOLERANCE;
    let shared = |edges: &&[&Edge]| edges.len() > 1 || edges.iter().all(|edge| edge.tagged);
    let mut found: Vec<&Edge> = group.chunk_by(near).filter(shared).flatten().copied().collect();
    found.sort_by_key(|edge| edge.place);
    found
}

/// Whether a line that repeats on `pages` pages is a running header or footer.
fn enough(group: &[&Edge], pages: usize, body: f32, numbered: &BTreeSet<(usize, bool, usize)>) -> bool {
    let size = group.iter().map(|edge| edge.size).fold(0.0, f32::max);
    if group.iter().all(|edge| edge.tagged) {
        return pages >= MIN_PAGES_TAGGED;
    }
    // Beside a page number, a header may have any size.
    let beside = group.iter().filter(|edge| numbered.contains(&edge.row())).count();
    if pages >= MIN_PAGES_LARGE && beside * 2 > group.len() {
        return true;
    }
    if group.iter().any(|edge| edge.text.ends_with(':')) {
        return false;
    }
    if size < SMALL_FACTOR * body {
        return pages >= MIN_PAGES_SMALL;
    }
    // Bold lines of text size may be headings.
    size < LARGE_FACTOR * body
        && pages >= MIN_PAGES_LARGE
        && !group.iter().any(|edge| edge.bold || is_amount(&edge.text))
}

/// Whether a text contains an amount of money, such as the total of an invoice, which may repeat.
fn is_amount(text: &str) -> bool {
    const MONEY: [&str; 8] = ["EUR", "USD", "GBP", "CHF", "JPY", "CNY", "PLN", "SEK"];
    let cents = |word: &str| {
        let word = word.trim_end_matches(|c: char| !c.is_ascii_digit());
        let digits = word.bytes().rev().take_while(u8::is_ascii_digit).count();
        let before = word.len().checked_sub(digits + 1).and_then(|at| word.as_bytes().get(at));
        digits == 2 && before.is_some_and(|b| matches!(b, b'.' | b',')) && !word.contains('/')
    };
    text.contains(['€', '$', '£', '¥']) || text.split_whitespace().any(|word| MONEY.contains(&word) || cents(word))
}

/// Page number minus the position of the page, which counts from 1.
fn offset(number: &PageNumber, edge: &Edge) -> i64 {
    number.number - i64::try_from(edge.place.0).unwrap_or(i64::MAX).saturating_add(1)
}

/// A line that consists of a page number.
struct Number<'e> {
    edge: &'e Edge,
    /// Whether it has a label such as "Page" or is far from other words on many pages.
    sure: bool,
    named: bool,
}

/// Finds numbers that increase with the pages.
fn numbers<'e>(sheets: &[Sheet], edges: &'e [Edge], body: f32) -> Vec<Number<'e>> {
    let most = i64::try_from(sheets.len()).unwrap_or(i64::MAX).saturating_add(MAX_OFFSET);
    let mut groups: BTreeMap<(bool, bool, i64), Vec<&Edge>> = BTreeMap::new();
    for edge in edges {
        let Some(number) = edge.number.as_ref().filter(|number| number.rest.is_empty()) else { continue };
        let largest = if number.labelled { LARGE_FACTOR_LABELLED } else { LARGE_FACTOR };
        let sound = edge.size < largest * body && (number.labelled || number.total.is_none_or(|total| total <= most));
        if sound || edge.tagged {
            groups.entry((edge.lower, number.roman, offset(number, edge))).or_default().push(edge);
        }
    }
    let mut numbers = Vec::new();
    for ((.., offset), group) in groups {
        let group = at_one_height(group);
        let pages: BTreeSet<usize> = group.iter().map(|edge| edge.place.0).collect();
        let (Some(first), Some(last)) = (pages.first(), pages.last()) else { continue };
        let is_named = |edge: &&Edge| edge.tagged || edge.number.as_ref().is_some_and(|number| number.labelled);
        let named = group.iter().all(is_named);
        let least = match offset {
            _ if named => 2,
            0 => 2,
            _ if offset.abs() <= most => 3,
            _ => MIN_PAGES_LARGE,
        };
        if pages.len() >= least && pages.len() * 2 > last - first {
            let many = pages.len() >= MIN_PAGES_LARGE;
            numbers.extend(group.into_iter().map(|edge| {
                let apart = sheets.get(edge.place.0).is_some_and(|sheet| is_apart(sheet, edge.place.1));
                Number { edge, sure: named || many && apart, named }
            }));
        }
    }
    numbers
}

/// Whether a line is far from all others on its row.
fn is_apart(sheet: &Sheet, own: usize) -> bool {
    let Some(number) = sheet.lines.get(own) else { return false };
    sheet
        .lines
        .iter()
        .enumerate()
        .filter(|(at, line)| *at != own && (line.y - number.y).abs() < 0.5 * number.size)
        .all(|(_, line)| (number.x0 - line.x1).max(line.x0 - number.x1) > NUMBER_GAP * number.size)
}

/// Whether a number is a page number: only headers or footers are beside it or between it and the edge of the page.
fn is_free(number: &Number<'_>, sheets: &[Sheet], rows: &[Vec<Row>], margin_lines: &MarginLines) -> bool {
    let edge = number.edge;
    let (page, own) = edge.place;
    let (Some(sheet), Some(rows)) = (sheets.get(page), rows.get(page)) else { return false };
    if number.named {
        return true;
    }
    let is_boilerplate = |at: usize| {
        let place = (page, at);
        at == own || margin_lines.has(place)
    };
    let outward = (0..=edge.depth).filter_map(|depth| {
        if edge.lower { rows.len().checked_sub(depth + 1).and_then(|at| rows.get(at)) } else { rows.get(depth) }
    });
    is_apart(sheet, own) && outward.flat_map(|row| row.lines.clone()).all(is_boilerplate)
}

/// Whether a repeated line is the label of varying text after it, such as "Invoice no.".
fn is_label(
    edge: &Edge,
    sheets: &[Sheet],
    rows: &[Vec<Row>],
    margin_lines: &MarginLines,
    numbers: &BTreeSet<Position>,
) -> bool {
    let (page, own) = edge.place;
    let (Some(sheet), Some(rows)) = (sheets.get(page), rows.get(page)) else { return false };
    let (Some(line), true) = (sheet.lines.get(own), margin_lines.has(edge.place)) else { return false };
    let row = rows.iter().find(|row| row.lines.contains(&own)).map_or(0..0, |row| row.lines.clone());
    let behind = row.filter_map(|at| Some((at, sheet.lines.get(at)?.x0))).filter(|(_, x0)| *x0 >= line.x1);
    let next = behind.min_by(|(_, a), (_, b)| a.total_cmp(b));
    next.is_some_and(|(at, x0)| {
        let place = (page, at);
        x0 - line.x1 < LABEL_GAP * line.size && !margin_lines.has(place) && !numbers.contains(&place)
    })
}

/// Removes watermarks such as "Draft" except for the first occurrence.
fn watermarks(sheets: &mut [Sheet]) {
    let mut pages: BTreeMap<String, usize> = BTreeMap::new();
    for (page, sheet) in sheets.iter_mut().enumerate() {
        for lines in &mut sheet.turned {
            lines.retain(|line| !line.tagged || *pages.entry(line.text()).or_insert(page) == page);
        }
    }
}
