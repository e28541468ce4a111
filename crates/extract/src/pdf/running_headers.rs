//! Running heads, running feet and page numbers: what says the same on many pages. A line that stands only once, or that
//! differs from page to page in more than the number of the page, is never one of them. Of the others, the first stays.

use super::Sheet;
use super::line::Line;
use super::page_number::{PageNumber, page_number};
use std::collections::{BTreeMap, BTreeSet};

/// So many rows from the edge of a page are looked at, and so much of its height.
const ROWS: usize = 3;
const PART: f32 = 0.2;
/// A head may move by this many points from page to page.
const NEAR: f32 = 4.0;
/// Between a head and the text is more than between lines of text: so many sizes of its letters, and so many times as much.
const MARGIN: f32 = 1.6;
const WIDER: f32 = 1.25;
/// Text is set no wider than this, in sizes of its letters.
const DOUBLE: f32 = 2.4;
/// Heads in letters smaller than this part of the text's are on so many pages at least; those that are as large as the
/// text, which may be a part of it, on more; what the document itself calls a head, on two.
const SMALLER: f32 = 0.97;
const LARGEST: f32 = 1.05;
/// A word for a page may be in letters so many times as large.
const LARGEST_NAMED: f32 = 1.3;
const PAGES_SMALL: usize = 3;
const PAGES_LARGE: usize = 5;
const PAGES_TAGGED: usize = 2;
/// Numbers that do not begin with the first page may begin a few pages off, as after a cover.
const OFF: i64 = 20;
/// A number nearer than this to other words on its row, in sizes of its letters, belongs to them.
const APART: f32 = 3.0;

/// What stands nearer than this behind other words on their row may be what they name.
const NAMED: f32 = 12.0;
/// Most lines of a page that are looked at.
const MAX_EDGES: usize = 500;

/// A line by its page and its place there.
type Place = (usize, usize);

/// A line near the edge of a page, or one that the document calls a head or a foot.
struct Edge {
    place: Place,
    lower: bool,
    /// Rows between it and the edge of the page.
    depth: usize,
    /// From the edge of the page.
    distance: f32,
    size: f32,
    bold: bool,
    tagged: bool,
    text: String,
    number: Option<PageNumber>,
}

impl Edge {
    /// Its row: the page, which edge of it, and how far from there.
    fn row(&self) -> (usize, bool, usize) {
        (self.place.0, self.lower, self.depth)
    }
}

/// Lines on about one height.
struct Row {
    lines: std::ops::Range<usize>,
    y: f32,
    size: f32,
}

/// What becomes of lines: those that are left out, and those that stay as the first of their kind.
#[derive(Default)]
struct Furniture {
    gone: BTreeSet<Place>,
    kept: BTreeSet<Place>,
    /// Those that name what stands behind them, and stay with it.
    names: BTreeSet<Place>,
}

impl Furniture {
    fn has(&self, place: Place) -> bool {
        self.gone.contains(&place) || self.kept.contains(&place)
    }
}

/// Takes running heads but for the first, and page numbers, out of the pages.
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
    let mut furniture = Furniture::default();
    let body = body(sheets, &edges);
    let numbers = numbers(sheets, &edges, body);
    repeated(&edges, body, &numbers, &mut furniture);
    let counted: BTreeSet<Place> = numbers.iter().map(|number| number.edge.place).collect();
    for edge in edges.iter().filter(|edge| !edge.tagged) {
        if names_another(edge, sheets, &rows, &furniture, &counted) {
            furniture.names.insert(edge.place);
        }
    }
    furniture.gone.retain(|place| !furniture.names.contains(place));
    furniture.kept.retain(|place| !furniture.names.contains(place));
    let free = numbers.iter().filter(|number| is_free(number, sheets, &rows, &furniture));
    let free: Vec<Place> = free.map(|number| number.edge.place).collect();
    furniture.gone.extend(free);
    for (page, sheet) in sheets.iter_mut().enumerate() {
        let bottom = sheet.bottom;
        let mut at = 0;
        let mut kept = Vec::new();
        sheet.lines.retain(|line| {
            at += 1;
            let place = (page, at - 1);
            if furniture.kept.contains(&place) {
                kept.push(line.clone());
            }
            !furniture.kept.contains(&place) && !furniture.gone.contains(&place)
        });
        (sheet.head, sheet.foot) = kept.into_iter().partition(|line| line.y < bottom / 2.0);
    }
    stamps(sheets);
}

/// The lines of a page in rows.
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

/// Step from row to row, in sizes of their letters, that is wider than those of the text.
fn margin(rows: &[Vec<Row>]) -> f32 {
    let mut steps: Vec<f32> = rows.iter().flat_map(|rows| rows.windows(2).filter_map(step)).collect();
    steps.sort_by(f32::total_cmp);
    // Steps between paragraphs and rows of tables are among the larger ones.
    let usual = steps.get(steps.len() / 3).copied().unwrap_or_default();
    MARGIN.max(WIDER * usual.min(DOUBLE))
}

fn step(pair: &[Row]) -> Option<f32> {
    let [above, below] = pair else { return None };
    let size = above.size.max(below.size);
    (size > 0.0).then_some((below.y - above.y) / size)
}

/// The lines in the margins of a page.
fn edges(page: usize, sheet: &Sheet, rows: &[Row], margin: f32) -> Vec<Edge> {
    // The margin ends with the last wide step among the first rows. One row alone is margin.
    let wide: Vec<bool> = rows.windows(2).map(|pair| step(pair).is_some_and(|step| step > margin)).collect();
    let mut upper = wide.iter().take(ROWS).rposition(|is| *is).map_or(0, |at| at + 1);
    let mut lower = wide.iter().rev().take(ROWS).rposition(|is| *is).map_or(0, |at| at + 1);
    if let [row] = rows {
        (upper, lower) = if row.y < sheet.bottom / 2.0 { (1, 0) } else { (0, 1) };
    }
    let mut edges = Vec::new();
    for (at, row) in rows.iter().enumerate() {
        for line in row.lines.clone() {
            let Some(found) = sheet.lines.get(line).filter(|_| edges.len() < MAX_EDGES) else { continue };
            let from_below = rows.len() - 1 - at;
            let in_upper = at < upper && found.y < PART * sheet.bottom;
            let in_lower = from_below < lower && found.y > (1.0 - PART) * sheet.bottom;
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

/// Size of most of the text that is in no margin.
fn body(sheets: &[Sheet], edges: &[Edge]) -> f32 {
    let margins: BTreeSet<Place> = edges.iter().map(|edge| edge.place).collect();
    let lines =
        || sheets.iter().enumerate().flat_map(|(page, sheet)| (0..).map(move |at| (page, at)).zip(&sheet.lines));
    let within = super::body(lines().filter(|(place, _)| !margins.contains(place)).map(|(_, line)| line));
    within.or_else(|| super::body(lines().map(|(_, line)| line))).unwrap_or_default().size
}

/// Lines that say the same at the same height of several pages, the number of the page apart.
fn repeated(edges: &[Edge], body: f32, numbers: &[Number<'_>], furniture: &mut Furniture) {
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
                furniture.kept.insert(edge.place)
            } else {
                furniture.gone.insert(edge.place)
            };
        }
    }
}

/// Those of a group that stand as far from the edge as others: left and right pages may differ.
fn at_one_height(mut group: Vec<&Edge>) -> Vec<&Edge> {
    group.sort_by(|a, b| a.distance.total_cmp(&b.distance).then(a.place.cmp(&b.place)));
    let near = |a: &&Edge, b: &&Edge| b.distance - a.distance < NEAR;
    let shared = |edges: &&[&Edge]| edges.len() > 1 || edges.iter().all(|edge| edge.tagged);
    let mut found: Vec<&Edge> = group.chunk_by(near).filter(shared).flatten().copied().collect();
    found.sort_by_key(|edge| edge.place);
    found
}

/// Whether what repeats on so many pages is a running head.
fn enough(group: &[&Edge], pages: usize, body: f32, numbered: &BTreeSet<(usize, bool, usize)>) -> bool {
    let size = group.iter().map(|edge| edge.size).fold(0.0, f32::max);
    if group.iter().all(|edge| edge.tagged) {
        return pages >= PAGES_TAGGED;
    }
    // Beside the number of the page, a head may look as it likes.
    let beside = group.iter().filter(|edge| numbered.contains(&edge.row())).count();
    if pages >= PAGES_LARGE && beside * 2 > group.len() {
        return true;
    }
    if group.iter().any(|edge| edge.text.ends_with(':')) {
        return false;
    }
    if size < SMALLER * body {
        return pages >= PAGES_SMALL;
    }
    // Headings may be bold, and no larger than the text.
    size < LARGEST * body && pages >= PAGES_LARGE && !group.iter().any(|edge| edge.bold || is_amount(&edge.text))
}

/// Whether a text holds an amount, as the total of a bill, which may be the same on several of them.
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

/// Number of a page less its position, counted from 1.
fn offset(number: &PageNumber, edge: &Edge) -> i64 {
    number.number - i64::try_from(edge.place.0).unwrap_or(i64::MAX).saturating_add(1)
}

/// A line that is nothing but a number, and counts with the pages.
struct Number<'e> {
    edge: &'e Edge,
    /// It says that it is one of a page, or stands far from other words on many pages.
    sure: bool,
    named: bool,
}

/// Numbers that count with the pages.
fn numbers<'e>(sheets: &[Sheet], edges: &'e [Edge], body: f32) -> Vec<Number<'e>> {
    let most = i64::try_from(sheets.len()).unwrap_or(i64::MAX).saturating_add(OFF);
    let mut groups: BTreeMap<(bool, bool, i64), Vec<&Edge>> = BTreeMap::new();
    for edge in edges {
        let Some(number) = edge.number.as_ref().filter(|number| number.rest.is_empty()) else { continue };
        let largest = if number.labelled { LARGEST_NAMED } else { LARGEST };
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
            _ => PAGES_LARGE,
        };
        if pages.len() >= least && pages.len() * 2 > last - first {
            let many = pages.len() >= PAGES_LARGE;
            numbers.extend(group.into_iter().map(|edge| {
                let apart = sheets.get(edge.place.0).is_some_and(|sheet| is_apart(sheet, edge.place.1));
                Number { edge, sure: named || many && apart, named }
            }));
        }
    }
    numbers
}

/// Whether a line stands far from all others on its row.
fn is_apart(sheet: &Sheet, own: usize) -> bool {
    let Some(number) = sheet.lines.get(own) else { return false };
    sheet
        .lines
        .iter()
        .enumerate()
        .filter(|(at, line)| *at != own && (line.y - number.y).abs() < 0.5 * number.size)
        .all(|(_, line)| (number.x0 - line.x1).max(line.x0 - number.x1) > APART * number.size)
}

/// Whether a number is that of its page: nothing but furniture stands beside it, or between it and the edge of its page.
fn is_free(number: &Number<'_>, sheets: &[Sheet], rows: &[Vec<Row>], furniture: &Furniture) -> bool {
    let edge = number.edge;
    let (page, own) = edge.place;
    let (Some(sheet), Some(rows)) = (sheets.get(page), rows.get(page)) else { return false };
    if number.named {
        return true;
    }
    let is_boilerplate = |at: usize| {
        let place = (page, at);
        at == own || furniture.has(place)
    };
    let outward = (0..=edge.depth).filter_map(|depth| {
        if edge.lower { rows.len().checked_sub(depth + 1).and_then(|at| rows.get(at)) } else { rows.get(depth) }
    });
    is_apart(sheet, own) && outward.flat_map(|row| row.lines.clone()).all(is_boilerplate)
}

/// Whether a line that repeats names what stands behind it and differs, as "Invoice no." does.
fn names_another(
    edge: &Edge,
    sheets: &[Sheet],
    rows: &[Vec<Row>],
    furniture: &Furniture,
    numbers: &BTreeSet<Place>,
) -> bool {
    let (page, own) = edge.place;
    let (Some(sheet), Some(rows)) = (sheets.get(page), rows.get(page)) else { return false };
    let (Some(line), true) = (sheet.lines.get(own), furniture.has(edge.place)) else { return false };
    let row = rows.iter().find(|row| row.lines.contains(&own)).map_or(0..0, |row| row.lines.clone());
    let behind = row.filter_map(|at| Some((at, sheet.lines.get(at)?.x0))).filter(|(_, x0)| *x0 >= line.x1);
    let next = behind.min_by(|(_, a), (_, b)| a.total_cmp(b));
    next.is_some_and(|(at, x0)| {
        let place = (page, at);
        x0 - line.x1 < NAMED * line.size && !furniture.has(place) && !numbers.contains(&place)
    })
}

/// What is stamped across the pages as a mark of all of them, as "Draft", stays where it is first.
fn stamps(sheets: &mut [Sheet]) {
    let mut pages: BTreeMap<String, usize> = BTreeMap::new();
    for (page, sheet) in sheets.iter_mut().enumerate() {
        for lines in &mut sheet.turned {
            lines.retain(|line| !line.tagged || *pages.entry(line.text()).or_insert(page) == page);
        }
    }
}
