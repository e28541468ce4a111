//! Tables with rules: horizontal and vertical lines that form a grid.

use super::glyph::Rule;
use super::line::Line;

/// Lines nearer than this touch, in points.
const NEAR: f32 = 3.0;
/// Maximum number of cells.
const MAX_CELLS: usize = 50_000;
/// A cell with more characters than this is a frame around text.
const MAX_LETTERS: usize = 2_000;
const MAX_LETTERS_ALONE: usize = 200;

/// A table with its position.
#[derive(Debug)]
pub(super) struct Table {
    pub(super) rows: Vec<Vec<String>>,
    pub(super) x0: f32,
    pub(super) x1: f32,
    pub(super) top: f32,
    pub(super) bottom: f32,
}

/// Removes the lines inside ruled tables from a page and returns the tables.
pub(super) fn tables(rules: &[Rule], lines: &mut Vec<Line>) -> Vec<Table> {
    let mut tables = Vec::new();
    for (across, down) in crossing(rules) {
        let (ys, xs) = (places(&across), places(&down));
        if ys.len() < 2 || xs.len() < 3 || ys.len().saturating_mul(xs.len()) > MAX_CELLS {
            continue;
        }
        if let Some(table) = fill(&ys, &xs, &down, lines) {
            tables.push(table);
        }
    }
    tables
}

/// Connected rules: horizontal and vertical ones.
type Crossing = (Vec<Rule>, Vec<Rule>);

/// Groups rules into connected sets.
fn crossing(rules: &[Rule]) -> Vec<Crossing> {
    /// More rules than this are a drawing.
    const MAX_LINES: usize = 3_000;
    let whole = join(rules);
    if whole.len() > MAX_LINES {
        return Vec::new();
    }
    let mut group: Vec<usize> = (0..whole.len()).collect();
    for (i, a) in whole.iter().enumerate().filter(|(_, rule)| !rule.vertical) {
        for (j, b) in whole.iter().enumerate().filter(|(_, rule)| rule.vertical) {
            let meets = b.at > a.from - NEAR && b.at < a.to + NEAR && a.at > b.from - NEAR && a.at < b.to + NEAR;
            if meets {
                let (a, b) = (root(&group, i), root(&group, j));
                if let Some(parent) = group.get_mut(a.max(b)) {
                    *parent = a.min(b);
                }
            }
        }
    }
    let mut groups: Vec<(usize, Crossing)> = Vec::new();
    for (at, rule) in whole.iter().enumerate() {
        let root = root(&group, at);
        let known = groups.iter().position(|(of, _)| *of == root).unwrap_or(groups.len());
        if known == groups.len() {
            groups.push((root, (Vec::new(), Vec::new())));
        }
        if let Some((_, (across, down))) = groups.get_mut(known) {
            if rule.vertical { down.push(*rule) } else { across.push(*rule) }
        }
    }
    groups.into_iter().map(|(_, group)| group).collect()
}

fn root(group: &[usize], mut at: usize) -> usize {
    while let Some(&parent) = group.get(at).filter(|parent| **parent != at) {
        at = parent;
    }
    at
}

/// Merges collinear rules that touch.
fn join(rules: &[Rule]) -> Vec<Rule> {
    let mut sorted = rules.to_vec();
    sorted.sort_by(|a, b| a.vertical.cmp(&b.vertical).then(a.at.total_cmp(&b.at)).then(a.from.total_cmp(&b.from)));
    let mut joined: Vec<Rule> = Vec::new();
    for rule in sorted {
        let on = joined.iter_mut().rev().take(64).find(|last| {
            last.vertical == rule.vertical
                && (last.at - rule.at).abs() < NEAR / 2.0
                && rule.from < last.to + NEAR
                && rule.to > last.from - NEAR
        });
        match on {
            Some(last) => (last.from, last.to) = (last.from.min(rule.from), last.to.max(rule.to)),
            None => joined.push(rule),
        }
    }
    joined
}

/// The distinct positions of rules across their direction.
fn places(rules: &[Rule]) -> Vec<f32> {
    let mut places: Vec<f32> = rules.iter().map(|rule| rule.at).collect();
    places.sort_by(f32::total_cmp);
    places.dedup_by(|a, b| (*a - *b).abs() < NEAR);
    places
}

/// Assigns lines of text to cells. `None` if that gives no table; the lines are then kept.
fn fill(ys: &[f32], xs: &[f32], down: &[Rule], lines: &mut Vec<Line>) -> Option<Table> {
    let (x0, x1, top, bottom) = (*xs.first()?, *xs.last()?, *ys.first()?, *ys.last()?);
    let inside = |line: &Line| {
        let (x, y) = ((line.x0 + line.x1) / 2.0, line.y - 0.3 * line.size);
        x > x0 && x < x1 && y > top && y < bottom
    };
    let (mut within, rest): (Vec<Line>, Vec<Line>) = std::mem::take(lines).into_iter().partition(inside);
    *lines = rest;
    let mut cells: Vec<Vec<Vec<Line>>> = vec![vec![Vec::new(); xs.len() - 1]; ys.len() - 1];
    for line in cut(&mut within, down) {
        let row = cell_at(ys, line.y - 0.3 * line.size);
        let column = cell_at(xs, line.x0 + line.size.min(line.x1 - line.x0) * 0.5);
        if let Some(cell) = cells.get_mut(row).and_then(|row| row.get_mut(column)) {
            cell.push(line);
        }
    }
    let used = |column: usize| cells.iter().any(|row| row.get(column).is_some_and(|cell| !cell.is_empty()));
    let columns = (0..xs.len() - 1).filter(|column| used(*column)).count();
    let rows = cells.iter().filter(|row| row.iter().any(|cell| !cell.is_empty())).count();
    let letters = |cell: &Vec<Line>| cell.iter().map(|line| line.text().len()).sum::<usize>();
    let most = if rows == 1 { MAX_LETTERS_ALONE } else { MAX_LETTERS };
    if columns < 2 || rows == 0 || is_drawing(&cells) || cells.iter().flatten().any(|cell| letters(cell) > most) {
        lines.extend(cells.into_iter().flatten().flatten());
        lines.sort_by(|a, b| a.y.total_cmp(&b.y).then(a.x0.total_cmp(&b.x0)));
        return None;
    }
    let rows = cells.iter().map(|row| row.iter().map(|cell| super::paragraph::joined(cell)).collect()).collect();
    Some(Table { rows, x0, x1, top, bottom })
}

/// Whether a grid is a diagram with a few words: a table, even an empty form, has a header row or column.
fn is_drawing(cells: &[Vec<Vec<Line>>]) -> bool {
    /// Smaller grids, such as calendars and forms, are always tables.
    const FEW: usize = 30;
    let width = cells.first().map_or(0, Vec::len);
    let in_row = |row: &Vec<Vec<Line>>| row.iter().filter(|cell| !cell.is_empty()).count();
    let in_column = |at: usize| cells.iter().filter(|row| row.get(at).is_some_and(|cell| !cell.is_empty())).count();
    let filled: usize = cells.iter().map(in_row).sum();
    width * cells.len() > FEW
        && filled * 6 < width * cells.len()
        && cells.iter().all(|row| in_row(row) * 2 < width)
        && (0..width).all(|at| in_column(at) * 2 < cells.len())
}

/// Splits lines of text where rules pass between their words.
fn cut(within: &mut Vec<Line>, down: &[Rule]) -> Vec<Line> {
    let mut pieces = Vec::with_capacity(within.len());
    while let Some(mut line) = within.pop() {
        let middle = line.y - 0.3 * line.size;
        let between = line.words.windows(2).position(|pair| match pair {
            [left, right] => down.iter().any(|rule| {
                let near = 0.2 * line.size;
                rule.at > left.x1 - near && rule.at < right.x0 + near && rule.from < middle && rule.to > middle
            }),
            _ => false,
        });
        if let Some(rest) = between.and_then(|at| line.split_off(at + 1)) {
            within.push(rest);
        }
        pieces.push(line);
    }
    pieces.sort_by(|a, b| a.y.total_cmp(&b.y).then(a.x0.total_cmp(&b.x0)));
    pieces
}

/// Index of the interval between positions that contains a coordinate.
fn cell_at(places: &[f32], at: f32) -> usize {
    places.partition_point(|place| *place <= at).saturating_sub(1).min(places.len().saturating_sub(2))
}
