//! Tables without rules, recognised by the alignment of their columns.

use super::label;
use super::line::Line;
use super::list;
use super::ruled_table::Table;
use std::collections::VecDeque;
use std::ops::Range;

/// Maximum step between rows, as a multiple of the font size.
const ROW_GAP: f32 = 2.6;
/// Maximum number of rows.
const MAX_ROWS: usize = 500;
/// Minimum gap between columns, as a multiple of the font size.
const COLUMN_GAP: f32 = 0.6;
/// Maximum average number of characters per cell; columns of running text have more.
const CELL_LETTERS: usize = 34;
/// Maximum number of tables of a page below lines that are taken for rows of them at first.
const MAX_LED: usize = 16;
/// Maximum gap between a label and its value on one line, and maximum step to the next such line, as multiples of the font size.
const VALUE_GAP: f32 = 12.0;
const VALUE_STEP: f32 = 2.0;

/// Lines at the same height.
type Row = Vec<Line>;

/// Rows that may form a table.
struct Group {
    rows: Vec<Row>,
    /// The rows that tell the columns. Those before them are headings and those after them totals, which may extend over several
    /// columns.
    body: Range<usize>,
}

/// Removes the lines that form tables from a page and returns the tables.
pub(super) fn tables(lines: &mut Vec<Line>) -> Vec<Table> {
    let mut tables = Vec::new();
    let mut rest: Vec<Line> = Vec::new();
    let mut rows: VecDeque<Row> = rows(std::mem::take(lines)).into();
    let mut led = 0;
    while let Some(row) = rows.pop_front() {
        if row.len() < 2 {
            rest.extend(row);
            continue;
        }
        rows.push_front(row);
        let mut group = Group::gather(&mut rows, 0);
        if let Some(Range { start, end }) = group.lead().filter(|_| led < MAX_LED) {
            led += 1;
            group.rows.drain(start..).rev().for_each(|row| rows.push_front(row));
            Group { body: 0..start, rows: group.rows }.close(&mut tables, &mut rest);
            group = Group::gather(&mut rows, end - start);
        }
        group.close(&mut tables, &mut rest);
    }
    *lines = with_values(rest);
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

/// The column where a line begins.
fn column_of(columns: &[(f32, f32)], line: &Line) -> usize {
    columns.partition_point(|(_, x1)| *x1 <= line.x0).min(columns.len().saturating_sub(1))
}

impl Group {
    /// The next rows of a page that may form a table of which the first are headings.
    fn gather(rows: &mut VecDeque<Row>, headings: usize) -> Self {
        let first: Vec<Row> = rows.drain(..rows.len().min(headings + 1)).collect();
        let mut group = Self { body: headings..first.len(), rows: first };
        while let Some(next) = rows.pop_front_if(|next| group.rows.len() < MAX_ROWS && group.goes_on(next)) {
            if group.fits(&next) {
                group.body.end += 1;
            }
            group.rows.push(next);
        }
        group
    }

    /// Adds it to the tables, or its lines to the rest.
    fn close(mut self, tables: &mut Vec<Table>, rest: &mut Vec<Line>) {
        // Trailing rows with a single part follow the table.
        while self.rows.last().is_some_and(|row| row.len() < 2 && !self.wrapped(row)) {
            rest.extend(self.rows.pop().into_iter().flatten());
            self.body.end = self.body.end.min(self.rows.len());
        }
        match self.table() {
            Some(table) => tables.push(table),
            None => rest.extend(self.rows.into_iter().flatten()),
        }
    }

    /// The rows that tell the columns.
    fn body(&self) -> &[Row] {
        self.rows.get(self.body.clone()).unwrap_or_default()
    }

    fn columns(&self) -> Vec<(f32, f32)> {
        columns(self.body().iter().flatten())
    }

    /// Whether a row can be the next of the table.
    fn goes_on(&self, next: &Row) -> bool {
        let (Some(last), Some(first)) = (self.rows.last().and_then(|row| row.first()), next.first()) else {
            return false;
        };
        if first.y - last.y > ROW_GAP * last.size.max(first.size) || next.iter().any(|line| line.mono) {
            return false;
        }
        self.fits(next) || self.is_total(next)
    }

    /// Whether a row has the columns of the table.
    fn fits(&self, next: &Row) -> bool {
        let body = || self.body().iter().flatten();
        let before = columns(body()).len();
        let after = columns(body().chain(next)).len();
        // What begins beside labels and values, as an address below them, is none of them.
        let is_beside = next.len() == 1 && after > before && self.rows.len() > 1 && self.are_pairs(&self.columns());
        self.body.end == self.rows.len() && after >= 2 && (after >= before || self.body.len() == 1) && !is_beside
    }

    /// Whether a row is a total: an amount below those of the last column, and its label.
    fn is_total(&self, next: &Row) -> bool {
        let columns = self.columns();
        let ([.., before, amounts], [label, .., amount]) = (columns.as_slice(), next.as_slice()) else { return false };
        let above = self.body().iter().filter(|row| row.len() > 1);
        let above: Vec<bool> = above
            .filter_map(|row| row.last().filter(|line| line.x0 > before.1))
            .map(|line| label::is_value(&line.text()))
            .collect();
        columns.len() >= 3
            && (next.len() == 2 || next.len() * 2 <= columns.len())
            && above.iter().filter(|is_value| **is_value).count() * 2 > above.len()
            && above.len() >= 2
            && amount.x0 > before.1
            && ((amount.x1 - amounts.1).abs() < amount.size || (amount.x0 - amounts.0).abs() < 0.5 * amount.size)
            && label::is_label(&label.text())
            && label::is_value(&amount.text())
    }

    /// Where a table begins whose columns are merged by what stands above it, as an address, and where its headings end: most rows
    /// from there on have more parts than the rows have columns together.
    fn lead(&self) -> Option<Range<usize>> {
        let merged = self.columns().len();
        let mut wider = (0..).zip(&self.rows).filter(|(_, row)| row.len() > merged).map(|(at, _)| at);
        let (first, second) = (wider.next()?, wider.next()?);
        let is_usual = (wider.count() + 2) * 2 > self.rows.len() - first;
        // The first of them have the same columns.
        let apart = |last: usize| Some(columns(self.rows.get(first..=last)?.iter().flatten()).len());
        let is_table = (first..=second).map(apart).is_sorted() && apart(second)? > merged;
        // Headings over several columns stand in a row of at least three.
        let headings = self.rows.iter().take(first).rev().take_while(|row| row.len() > 2).count();
        (first > 0 && is_usual && is_table).then_some(first - headings..first)
    }

    /// Whether a row with a single part continues a cell of the row above: close below it, and not in the first column.
    fn wrapped(&self, row: &Row) -> bool {
        let columns = self.columns();
        row.first().is_some_and(|line| column_of(&columns, line) > 0)
    }

    /// The table formed by the rows; `None` if they do not form one.
    fn table(&self) -> Option<Table> {
        let columns = self.columns();
        let several = self.rows.iter().filter(|row| row.len() > 1).count();
        let enough = several >= 3 || (several >= 2 && (columns.len() >= 3 || self.are_pairs(&columns)));
        if columns.len() < 2 || !enough || several * 2 < self.rows.len() {
            return None;
        }
        let parts = || self.rows.iter().flatten();
        let letters = |line: &Line| line.words.iter().map(|word| word.text.chars().count() + 1).sum::<usize>();
        let count = parts().count().max(1);
        if parts().map(letters).sum::<usize>() / count > CELL_LETTERS || prose(&self.rows, &columns) {
            return None;
        }
        // A numbered list, whose numbers are set apart.
        let first: Vec<&Line> = parts().filter(|line| column_of(&columns, line) == 0).collect();
        if first.iter().filter(|line| list::is_mark(&line.text())).count() * 2 > first.len() {
            return None;
        }
        let extent = |of: fn(&Line) -> f32, pick: fn(f32, f32) -> f32| parts().map(of).reduce(pick);
        Some(Table {
            rows: self.cells(&columns),
            x0: extent(|line| line.x0, f32::min)?,
            x1: extent(|line| line.x1, f32::max)?,
            top: extent(Line::top, f32::min)?,
            bottom: extent(Line::bottom, f32::max)?,
        })
    }

    /// Whether the rows are labels and their values, of which two are a table already.
    fn are_pairs(&self, columns: &[(f32, f32)]) -> bool {
        let column = |at: usize| -> Vec<&Line> {
            self.rows.iter().flatten().filter(|line| column_of(columns, line) == at).collect()
        };
        columns.len() == 2 && self.rows.iter().all(|row| row.len() == 2) && label::are_pairs(&column(0), &column(1))
    }

    /// The texts of the cells; continuation rows are joined to the row before.
    fn cells(&self, columns: &[(f32, f32)]) -> Vec<Vec<String>> {
        let mut rows: Vec<Vec<Vec<Line>>> = Vec::new();
        let mut last: Option<&Line> = None;
        for row in &self.rows {
            let close = match (last, row.first()) {
                (Some(last), Some(first)) => first.y - last.y < 1.35 * first.size,
                _ => false,
            };
            let is_below = row.len() < columns.len() && row.iter().all(|line| column_of(columns, line) > 0);
            if !(close && is_below) || rows.is_empty() || self.is_total(row) {
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

/// Joins labels with values beside them where the line above or below has both as well: the gaps of one are wider.
fn with_values(mut lines: Vec<Line>) -> Vec<Line> {
    lines.sort_by(|a, b| a.y.total_cmp(&b.y).then(a.x0.total_cmp(&b.x0)));
    let mut rows = rows(lines);
    for at in 0..rows.len() {
        let near = [at.checked_sub(1), Some(at + 1)].into_iter().flatten().filter_map(|at| rows.get(at));
        let Some([label, value]) = rows.get(at).map(Vec::as_slice) else { continue };
        let gap = value.x0 - label.x1;
        let is_pair = gap < VALUE_GAP * label.size && label::is_label(&label.text()) && label::is_value(&value.text());
        if is_pair && near.into_iter().any(|row| matches!(row.as_slice(), [line] if is_like(line, label, value))) {
            rows.get_mut(at).into_iter().for_each(|row| {
                if let (Some(value), Some(label)) = (row.pop(), row.first_mut()) {
                    label.join(value);
                }
            });
        }
    }
    let mut lines: Vec<Line> = rows.into_iter().flatten().collect();
    lines.sort_by(|a, b| a.y.total_cmp(&b.y).then(a.x0.total_cmp(&b.x0)));
    lines
}

/// Whether a line is a label and a value, and above or below others.
fn is_like(line: &Line, label: &Line, value: &Line) -> bool {
    let near = 0.5 * line.size;
    (line.y - label.y).abs() < VALUE_STEP * line.size
        && (line.x0 < label.x1 && line.x1 > value.x0)
        && ((line.x1 - value.x1).abs() < near || (line.x0 - label.x0).abs() < near)
        && label::is_pair(&line.text())
}

#[cfg(test)]
mod tests {
    use super::super::word::Word;
    use super::*;

    /// A line as of a scan, on which no letters are bold.
    fn line(x0: f32, x1: f32, y: f32, text: &str) -> Line {
        let text = text.to_owned();
        let (size, bold, mono, vertical, tagged) = (10.0, false, false, false, false);
        let word = Word { text, x0, x1, y, size, bold, mono, vertical, tagged, spaces: 0, end: x1 };
        Line { words: vec![word], x0, x1, y, size, bold, mono, vertical, tagged }
    }

    fn read(mut lines: Vec<Line>) -> (Vec<String>, Vec<String>) {
        let tables = tables(&mut lines);
        let rows = tables.into_iter().flat_map(|table| table.rows).map(|row| row.join("|"));
        (rows.collect(), lines.iter().map(Line::text).collect())
    }

    #[test]
    fn rows_of_a_scanned_invoice() {
        let lines = vec![
            line(46.0, 397.0, 76.0, "Hafenbetriebe Nord GmbH"),
            line(747.0, 905.0, 76.0, "Datum: 30.11.2026"),
            line(46.0, 301.0, 98.0, "Kaistraße 12"),
            line(710.0, 905.0, 98.0, "Kundennummer: 88123"),
            line(43.0, 257.0, 120.0, "Reederei Öhlmann"),
            line(43.0, 166.0, 140.0, "20457 Hamburg"),
            line(48.0, 87.0, 160.0, "Pos"),
            line(125.0, 241.0, 160.0, "Bezeichnung"),
            line(551.0, 650.0, 160.0, "Einzelpreis"),
            line(694.0, 732.0, 160.0, "USt."),
            line(845.0, 904.0, 160.0, "Betrag"),
            line(48.0, 58.0, 180.0, "1"),
            line(125.0, 268.0, 180.0, "Liegeplatzgebühr"),
            line(561.0, 650.0, 180.0, "1.250,00 €"),
            line(689.0, 732.0, 180.0, "19 %"),
            line(805.0, 904.0, 180.0, "17.500,00 €"),
            line(48.0, 58.0, 200.0, "2"),
            line(125.0, 240.0, 200.0, "Schlepperhilfe"),
            line(561.0, 650.0, 200.0, "3.480,75 €"),
            line(689.0, 732.0, 200.0, "19 %"),
            line(815.0, 904.0, 200.0, "6.961,50 €"),
            line(592.0, 732.0, 220.0, "Zwischensumme"),
            line(805.0, 904.0, 220.0, "23.651,15 €"),
            line(607.0, 732.0, 240.0, "Gesamtbetrag"),
            line(801.0, 904.0, 240.0, "28.095,12 €"),
        ];
        let (tables, rest) = read(lines);
        let expected = [
            "Pos|Bezeichnung|Einzelpreis|USt.|Betrag",
            "1|Liegeplatzgebühr|1.250,00 €|19 %|17.500,00 €",
            "2|Schlepperhilfe|3.480,75 €|19 %|6.961,50 €",
            "||Zwischensumme||23.651,15 €",
            "||Gesamtbetrag||28.095,12 €",
        ];
        assert_eq!(tables, expected);
        assert_eq!(rest.len(), 6);
    }

    #[test]
    fn labels_are_joined_with_their_values_where_others_are() {
        let single = |y: f32, text: &str| line(100.0, 300.0, y, text);
        let lines = vec![
            single(100.0, "Nettobetrag 742,50"),
            line(150.0, 200.0, 114.0, "Versand"),
            line(270.0, 300.0, 114.0, "9,90"),
            single(128.0, "Gesamtbetrag 752,40"),
        ];
        let (tables, rest) = read(lines);
        assert!(tables.is_empty());
        assert_eq!(rest, ["Nettobetrag 742,50", "Versand 9,90", "Gesamtbetrag 752,40"]);
        // Beside other text.
        let lines = vec![
            single(100.0, "Wir liefern am Montag"),
            line(150.0, 200.0, 114.0, "Versand"),
            line(270.0, 300.0, 114.0, "9,90"),
        ];
        assert_eq!(read(lines).1.len(), 3);
    }
}
