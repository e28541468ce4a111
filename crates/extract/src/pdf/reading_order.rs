//! Reading order of a page: groups lines into blocks and orders them from top to bottom and column by column (XY-cut).

use super::aligned_table;
use super::line::Line;
use super::ruled_table::Table;

/// A block of a page.
#[derive(Debug)]
pub(super) enum Part {
    /// Consecutive lines.
    Lines(Vec<Line>),
    /// A table.
    Table(Table),
}

/// A part with its bounding box.
struct Block {
    part: Part,
    x0: f32,
    x1: f32,
    top: f32,
    bottom: f32,
    /// Its font size.
    size: f32,
    /// Whether it is running text.
    running: bool,
}

/// Maximum nesting of columns.
const MAX_DEPTH: usize = 12;
/// Maximum number of blocks that are split into columns, and of lines examined for the next line of a block.
const MAX_BLOCKS: usize = 2_000;
const MAX_NEAR: usize = 2_000;
/// Maximum line step in a block, as a multiple of the font size.
const LINE_STEP: f32 = 2.0;
/// Minimum gutter and minimum width of columns, as multiples of the font size.
const GUTTER: f32 = 0.7;
const COLUMN: f32 = 7.0;

/// The parts of a page in reading order.
pub(super) fn parts(lines: Vec<Line>, tables: Vec<Table>) -> Vec<Part> {
    let mut blocks: Vec<Block> = blocks(lines);
    blocks.extend(tables.into_iter().map(of_table));
    let mut parts = Vec::with_capacity(blocks.len());
    cut(blocks, 0, &mut parts);
    parts
}

fn of_table(table: Table) -> Block {
    Block {
        x0: table.x0,
        x1: table.x1,
        top: table.top,
        bottom: table.bottom,
        size: 10.0,
        running: false,
        part: Part::Table(table),
    }
}

/// Groups consecutive lines into blocks.
fn blocks(lines: Vec<Line>) -> Vec<Block> {
    // Lines are sorted by y. Two lines are joined if each is the only neighbour of the other.
    let below: Vec<Vec<usize>> = (0..lines.len()).map(|at| neighbours(&lines, at)).collect();
    let mut above = vec![0usize; lines.len()];
    for at in below.iter().flatten() {
        if let Some(count) = above.get_mut(*at) {
            *count += 1;
        }
    }
    let mut blocks: Vec<Vec<Line>> = Vec::new();
    let mut block_of: Vec<Option<usize>> = vec![None; lines.len()];
    for (at, line) in lines.into_iter().enumerate() {
        let known = block_of.get(at).copied().flatten();
        let block = known.unwrap_or(blocks.len());
        match blocks.get_mut(block) {
            Some(list) => list.push(line),
            None => blocks.push(vec![line]),
        }
        if let Some(&[next]) = below.get(at).map(Vec::as_slice)
            && above.get(next) == Some(&1)
            && let Some(slot) = block_of.get_mut(next)
        {
            *slot = Some(block);
        }
    }
    apart(blocks.into_iter().filter_map(block).collect())
}

/// Splits blocks where they go on above or below another that was beside them: a line over the whole width belongs to neither
/// column, though it is next to the lines of one.
fn apart(blocks: Vec<Block>) -> Vec<Block> {
    if blocks.len() > MAX_BLOCKS {
        return blocks;
    }
    let extents: Vec<_> = blocks.iter().map(|block| (block.x0, block.x1, block.top, block.bottom)).collect();
    let mut split = Vec::with_capacity(blocks.len());
    for (at, whole) in blocks.into_iter().enumerate() {
        let Part::Lines(mut lines) = whole.part else {
            split.push(whole);
            continue;
        };
        let beside = extents.iter().enumerate().filter(|(other, (x0, x1, top, bottom))| {
            let gutter = GUTTER * whole.size;
            *other != at
                && *x0 < whole.x1 + gutter
                && *x1 > whole.x0 - gutter
                && *top < whole.bottom
                && *bottom > whole.top
        });
        let mut cuts: Vec<usize> = beside.flat_map(|(_, extent)| cuts(&lines, *extent)).collect();
        cuts.sort_unstable();
        cuts.dedup();
        let mut pieces: Vec<Vec<Line>> = cuts.iter().rev().map(|cut| lines.split_off(*cut)).collect();
        pieces.push(lines);
        split.extend(pieces.into_iter().rev().filter_map(block));
    }
    split
}

/// Before which lines a block has to end because of another one with this extent, part of which is beside it.
fn cuts(lines: &[Line], (x0, x1, top, bottom): (f32, f32, f32, f32)) -> impl Iterator<Item = usize> {
    // A line that ends within the gutter, as a long heading may, is over the other column as well.
    let gutter = |line: &Line| GUTTER * line.size;
    let over = |line: &Line| line.x0 < x1 + gutter(line) && line.x1 > x0 - gutter(line);
    let slack = |line: &Line| 0.2 * line.size;
    let below = |line: &Line| line.top() > bottom - slack(line);
    let first = lines.iter().position(|line| over(line) && below(line)).map(|mut at| {
        // A heading stays with the lines below it.
        let step = |at: usize| Some(lines.get(at)?.y - lines.get(at.checked_sub(1)?)?.y);
        while let (Some(next), Some(before)) = (step(at), at.checked_sub(1).and_then(step))
            && lines.get(at - 1).is_some_and(|line| below(line) && next + slack(line) < before)
        {
            at -= 1;
        }
        at
    });
    let last = lines.iter().rposition(|line| over(line) && line.bottom() < top + slack(line)).map(|at| at + 1);
    let count = lines.len();
    [first, last].into_iter().flatten().filter(move |cut| (1..count).contains(cut))
}

fn block(lines: Vec<Line>) -> Option<Block> {
    let extent = |of: fn(&Line) -> f32, pick: fn(f32, f32) -> f32| lines.iter().map(of).reduce(pick);
    let (x0, x1) = (extent(|line| line.x0, f32::min)?, extent(|line| line.x1, f32::max)?);
    let (top, bottom) = (extent(Line::top, f32::min)?, extent(Line::bottom, f32::max)?);
    let size = extent(|line| line.size, f32::max)?;
    // Vertical lines, as in Japanese, have few characters, and there are no vertical tables.
    let running = lines.iter().all(|line| line.vertical) || is_running(&lines, x1 - x0);
    Some(Block { part: Part::Lines(lines), x0, x1, top, bottom, size, running })
}

/// Whether lines are running text: several long lines of which most fill their column.
fn is_running(lines: &[Line], width: f32) -> bool {
    let letters = |line: &Line| line.words.iter().map(|word| word.text.chars().count() + 1).sum::<usize>();
    let full = lines.iter().filter(|line| line.x1 - line.x0 > 0.7 * width).count();
    lines.len() >= 3 && lines.iter().map(letters).sum::<usize>() > 18 * lines.len() && full * 2 > lines.len()
}

/// The lines directly below a line: those that overlap it horizontally and are not behind another.
fn neighbours(lines: &[Line], at: usize) -> Vec<usize> {
    let Some(line) = lines.get(at) else { return Vec::new() };
    let mut found: Vec<usize> = Vec::new();
    let mut lowest = f32::MAX;
    for (next, other) in lines.iter().enumerate().skip(at + 1).take(MAX_NEAR) {
        let size = line.size.max(other.size);
        if other.y - line.y > LINE_STEP * size.max(line.size) || other.top() > lowest {
            break;
        }
        let overlap = line.x1.min(other.x1) - line.x0.max(other.x0);
        if other.y - line.y < 0.3 * size || overlap <= 0.0 {
            continue;
        }
        let hidden = found
            .iter()
            .filter_map(|at| lines.get(*at))
            .any(|near| near.x0 < other.x1 && near.x1 > other.x0 && other.top() > near.y - 0.2 * near.size);
        if !hidden {
            lowest = lowest.min(other.bottom() + other.size);
            found.push(next);
        }
    }
    found
}

/// Orders blocks by recursive cuts: into columns at gutters between running text, and into the bands above and below
/// them.
fn cut(mut blocks: Vec<Block>, depth: usize, out: &mut Vec<Part>) {
    if blocks.len() > MAX_BLOCKS {
        return uncut(blocks, out);
    }
    blocks.sort_by(|a, b| a.top.total_cmp(&b.top).then(a.x0.total_cmp(&b.x0)));
    let mut groups: Vec<Vec<Block>> = Vec::new();
    for band in bands(blocks) {
        // Consecutive bands belong together if the same gutter runs through all of them, or none.
        let goes_on = groups.last().is_some_and(|group| match (gutter(group), gutter(&band)) {
            (None, None) => true,
            _ => gutter(group.iter().chain(&band)).is_some(),
        });
        match groups.last_mut().filter(|_| goes_on) {
            Some(group) => group.extend(band),
            None => groups.push(band),
        }
    }
    for group in groups {
        match gutter(&group).filter(|_| depth < MAX_DEPTH) {
            Some(x) => {
                let (left, right): (Vec<Block>, Vec<Block>) = group.into_iter().partition(|block| block.x0 < x);
                cut(left, depth + 1, out);
                cut(right, depth + 1, out);
            }
            None => uncut(group, out),
        }
    }
}

/// Orders blocks without columns of text, which may contain tables without rules.
fn uncut(group: Vec<Block>, out: &mut Vec<Part>) {
    let mut lines: Vec<Line> = Vec::new();
    let mut tables: Vec<Table> = Vec::new();
    for block in group {
        match block.part {
            Part::Lines(list) => lines.extend(list),
            Part::Table(table) => tables.push(table),
        }
    }
    lines.sort_by(|a, b| a.y.total_cmp(&b.y).then(a.x0.total_cmp(&b.x0)));
    if !lines.iter().any(|line| line.vertical) {
        tables.extend(aligned_table::tables(&mut lines));
    }
    let mut all = blocks(lines);
    all.extend(tables.into_iter().map(of_table));
    all.sort_by(|a, b| a.top.total_cmp(&b.top).then(a.x0.total_cmp(&b.x0)));
    by_rows(all, out);
}

/// Groups blocks that overlap vertically into bands, from top to bottom.
fn bands(blocks: Vec<Block>) -> Vec<Vec<Block>> {
    let mut bands: Vec<Vec<Block>> = Vec::new();
    let mut bottom = f32::MIN;
    for block in blocks {
        let low = block.bottom - 0.1 * block.size;
        match bands.last_mut().filter(|_| block.top < bottom) {
            Some(band) => band.push(block),
            None => bands.push(vec![block]),
        }
        bottom = bottom.max(low);
    }
    bands
}

/// Horizontal positions at which blocks can be split into columns of text.
fn gutter<'b>(blocks: impl IntoIterator<Item = &'b Block>) -> Option<f32> {
    let mut extents: Vec<&Block> = blocks.into_iter().collect();
    extents.sort_by(|a, b| a.x0.total_cmp(&b.x0));
    let (left, right) = (extents.first()?.x0, extents.iter().map(|block| block.x1).reduce(f32::max)?);
    let size = extents.iter().map(|block| block.size).reduce(f32::min)?;
    let last_running = extents.iter().rposition(|block| block.running)?;
    let mut running = false;
    let mut end = f32::MIN;
    let mut best: Option<(f32, f32)> = None;
    for (at, block) in extents.iter().enumerate() {
        let gap = block.x0 - end;
        if running
            && at <= last_running
            && gap > GUTTER * size
            && end - left > COLUMN * size
            && right - block.x0 > COLUMN * size
            && best.is_none_or(|(widest, _)| gap > widest)
        {
            best = Some((gap, (end + block.x0) / 2.0));
        }
        end = end.max(block.x1);
        running |= block.running;
    }
    best.map(|(_, x)| x)
}

/// Sorts blocks from top to bottom; those whose first lines are at the same height from left to right.
fn by_rows(mut blocks: Vec<Block>, out: &mut Vec<Part>) {
    let mut from = 0;
    while let Some(first) = blocks.get(from) {
        let (top, size) = (first.top, first.size);
        let to = blocks.iter().skip(from).position(|block| block.top > top + 0.5 * size);
        let to = to.map_or(blocks.len(), |count| from + count.max(1));
        if let Some(row) = blocks.get_mut(from..to) {
            row.sort_by(|a, b| a.x0.total_cmp(&b.x0));
        }
        from = to;
    }
    out.extend(blocks.into_iter().map(|block| block.part));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(x0: f32, x1: f32, y: f32) -> Line {
        Line { words: Vec::new(), x0, x1, y, size: 10.0, bold: false, mono: false, vertical: false, tagged: false }
    }

    #[test]
    fn a_column_ends_where_a_line_goes_over_the_other_one_and_a_heading_goes_with_that_line() {
        let column = [line(0.0, 90.0, 100.0), line(0.0, 90.0, 112.0), line(0.0, 90.0, 124.0)];
        let below = [line(0.0, 40.0, 148.0), line(0.0, 200.0, 160.0), line(0.0, 200.0, 172.0)];
        let lines: Vec<Line> = column.into_iter().chain(below).collect();
        // The other column: from the same height to that of the last line.
        assert_eq!(cuts(&lines, (110.0, 200.0, 92.0, 127.0)).collect::<Vec<_>>(), [3]);
        // A heading that ends just before it.
        let heading = [line(0.0, 108.0, 84.0), line(0.0, 90.0, 100.0), line(0.0, 90.0, 112.0)];
        assert_eq!(cuts(&heading, (110.0, 200.0, 92.0, 127.0)).collect::<Vec<_>>(), [1]);
        // One that is beside none of the lines over its width.
        assert_eq!(cuts(&lines, (210.0, 300.0, 92.0, 127.0)).count(), 0);
    }
}
