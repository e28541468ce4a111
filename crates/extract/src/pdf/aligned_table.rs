//! Tables without rules, recognised by the alignment of their columns.

use super::line::Line;
use super::list;
use super::ruled_table::Table;

/// Maximum step between rows, as a multiple of the font size.
const ROW_GAP: f32 = 2.6;
/// Maximum number of rows.
const MAX_ROWS: usize = 500;
/// Minimum gap between columns, as a multiple of the font size.
const COLUMN_GAP: f32 = 0.6;
/// Maximum average number of characters per cell; columns of running text have more.
const CELL_LETTERS: usize = 34;

/// Lines at the same height.
type Row = Vec<Line>;

/// Removes the lines that form tables from a page and returns the tables.
pub(super) fn tables(lines: &mut Vec<Line>) -> Vec<Table> {
    let mut tables = Vec::new();
    let mut rest: Vec<Line> = Vec::new();
    let mut rows = rows(std::mem::take(lines)).into_iter().peekable();
    while let Some(row) = rows.next() {
        if row.len() < 2 {
            rest.extend(row);
            continue;
        }
        let mut group = vec![row];
        while let Some(next) = rows.next_if(|next| group.len() < MAX_ROWS && goes_on(&group, next)) {
            group.push(next);
        }
        // Trailing rows with a single part follow the table.
        let mut after = Vec::new();
        while group.last().is_some_and(|row| row.len() < 2 && !wrapped(&group, row)) {
            after.extend(group.pop().into_iter().flatten());
        }
        match table(&group) {
            Some(table) => tables.push(table),
            None => rest.extend(group.into_iter().flatten()),
        }
        rest.extend(after);
    }
    rest.sort_by(|a, b| a.y.total_cmp(&b.y).then(a.x0.total_cmp(&b.x0)));
    *lines = rest;
    tables
}

/// Groups the lines of a page into rows, from top to bottom.
fn rows(lines: Vec<Line>) -> Vec<Row> {
    let mut rows: Vec<Row> = Vec::new();
    for line in lines {
        match rows.last_mut().filter(|row| row.first().is_some_and(|first| (first.y - line.y).abs() < 0.3 * first.size))
        {
            Some(row) => row.push(line),
            None => rows.push(vec![line]),
        }
    }
    for row in &mut rows {
        row.sort_by(|a, b| a.x0.total_cmp(&b.x0));
    }
    rows
}

/// Whether a row can be the next of a table.
fn goes_on(group: &[Row], next: &Row) -> bool {
    let (Some(last), Some(first)) = (group.last().and_then(|row| row.first()), next.first()) else { return false };
    if first.y - last.y > ROW_GAP * last.size.max(first.size) || next.iter().any(|line| line.mono) {
        return false;
    }
    let before = columns(group.iter().flatten()).len();
    let after = columns(group.iter().flatten().chain(next)).len();
    after >= 2 && (after >= before || group.len() == 1)
}

/// The columns: horizontal ranges that are occupied in any row, from left to right.
fn columns<'l>(lines: impl Iterator<Item = &'l Line>) -> Vec<(f32, f32)> {
    let mut extents: Vec<(f32, f32, f32)> = lines.map(|line| (line.x0, line.x1, line.size)).collect();
    extents.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut columns: Vec<(f32, f32)> = Vec::new();
    for (x0, x1, size) in extents {
        match columns.last_mut().filter(|last| x0 < last.1 + COLUMN_GAP * size) {
            Some(last) => last.1 = last.1.max(x1),
            None => columns.push((x0, x1)),
        }
    }
    columns
}

fn column_of(columns: &[(f32, f32)], line: &Line) -> usize {
    columns.partition_point(|(x0, _)| *x0 <= line.x0 + 0.5).saturating_sub(1)
}

/// Whether a row with a single part continues a cell of the row above: close below it, and not in the first column.
fn wrapped(group: &[Row], row: &Row) -> bool {
    let columns = columns(group.iter().flatten());
    row.first().is_some_and(|line| column_of(&columns, line) > 0)
}

/// The table formed by rows; `None` if they do not form one.
fn table(group: &[Row]) -> Option<Table> {
    let columns = columns(group.iter().flatten());
    let several = group.iter().filter(|row| row.len() > 1).count();
    let enough = several >= 3 || (several >= 2 && columns.len() >= 3);
    if columns.len() < 2 || !enough || several * 2 < group.len() {
        return None;
    }
    let parts = || group.iter().flatten();
    let letters = |line: &Line| line.words.iter().map(|word| word.text.chars().count() + 1).sum::<usize>();
    let count = parts().count().max(1);
    if parts().map(letters).sum::<usize>() / count > CELL_LETTERS || prose(group, &columns) {
        return None;
    }
    // A numbered list, whose numbers are set apart.
    let first: Vec<&Line> = parts().filter(|line| column_of(&columns, line) == 0).collect();
    if first.iter().filter(|line| list::is_mark(&line.text())).count() * 2 > first.len() {
        return None;
    }
    let extent = |of: fn(&Line) -> f32, pick: fn(f32, f32) -> f32| parts().map(of).reduce(pick);
    Some(Table {
        rows: cells(group, &columns),
        x0: extent(|line| line.x0, f32::min)?,
        x1: extent(|line| line.x1, f32::max)?,
        top: extent(Line::top, f32::min)?,
        bottom: extent(Line::bottom, f32::max)?,
    })
}

/// Whether two columns contain running text: long lines that fill them.
fn prose(group: &[Row], columns: &[(f32, f32)]) -> bool {
    let full = columns.iter().enumerate().filter(|(at, (x0, x1))| {
        let lines: Vec<&Line> = group.iter().flatten().filter(|line| column_of(columns, line) == *at).collect();
        let letters: usize = lines.iter().map(|line| line.text().chars().count()).sum();
        let filling = lines.iter().filter(|line| line.x1 - line.x0 > 0.75 * (x1 - x0)).count();
        lines.len() >= 3 && letters > 18 * lines.len() && filling * 10 > lines.len() * 6
    });
    full.count() >= 2
}

/// The texts of the cells; continuation rows are joined to the row before.
fn cells(group: &[Row], columns: &[(f32, f32)]) -> Vec<Vec<String>> {
    let mut rows: Vec<Vec<Vec<Line>>> = Vec::new();
    let mut last: Option<&Line> = None;
    for row in group {
        let close = match (last, row.first()) {
            (Some(last), Some(first)) => first.y - last.y < 1.35 * first.size,
            _ => false,
        };
        let continues = close && row.len() < columns.len() && row.iter().all(|line| column_of(columns, line) > 0);
        if !continues || rows.is_empty() {
            rows.push(vec![Vec::new(); columns.len()]);
        }
        for line in row {
            let cell = rows.last_mut().and_then(|row| row.get_mut(column_of(columns, line)));
            if let Some(cell) = cell {
                cell.push(line.clone());
            }
        }
        last = row.first();
    }
    rows.iter().map(|row| row.iter().map(|cell| super::paragraph::joined(cell)).collect()).collect()
}
