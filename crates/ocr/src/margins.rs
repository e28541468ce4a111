//! The margins of a page, where there is nothing to find: a quarter of the work of the detection graph on A4.

use crate::tensor::Tensor;
use socle_core::{Error, Kind, Result};
use std::ops::Range;

/// Lightness, from −1 to 1, from which a pixel is paper.
const PAPER: f32 = 0.5;

/// Rows and columns of the margin that are kept.
const KEPT: usize = 32;

/// Sides of what is left at least: with less, there is little to gain, and boxes of lines become less exact.
const LEAST_SIDE: usize = 1_024;

/// The map of a page, in which margins are 0. The sides of what `detect` is given are multiples of `step`, as those of the page.
///
/// # Errors
/// Those of `detect`; `InferenceFailed` when it returns a map of another size.
pub fn map_without_margins(page: Tensor, step: usize, detect: impl FnOnce(Tensor) -> Result<Tensor>) -> Result<Tensor> {
    let (height, width) = (page.shape[2], page.shape[3]);
    let rows = kept(height, step, |row| page.values.chunks_exact(width).skip(row).step_by(height).all(is_paper));
    let columns = kept(width, step, |column| {
        page.values.chunks_exact(width).all(|row| row.get(column).is_none_or(|value| *value >= PAPER))
    });
    if rows.len() == height && columns.len() == width {
        return detect(page);
    }
    let mut part = Tensor::picture(rows.len(), columns.len());
    let planes = page.values.chunks_exact(height * width);
    let lines = planes.flat_map(|plane| plane.chunks_exact(width).skip(rows.start).take(rows.len()));
    for (to, from) in part.values.chunks_exact_mut(columns.len()).zip(lines) {
        to.copy_from_slice(&from[columns.clone()]);
    }
    let found = detect(part)?;
    if found.table()? != (rows.len(), columns.len()) {
        return Err(Error::new(Kind::InferenceFailed, "a graph returned something else than socle expects").detail(
            format!("Its map of a picture of {} by {} has the shape {:?}.", rows.len(), columns.len(), found.shape),
        ));
    }
    let mut map = Tensor { shape: vec![1, 1, height, width], values: vec![0.0; height * width] };
    let lines = map.values.chunks_exact_mut(width).skip(rows.start);
    for (to, from) in lines.zip(found.values.chunks_exact(columns.len())) {
        to[columns.clone()].copy_from_slice(from);
    }
    Ok(map)
}

fn is_paper(row: &[f32]) -> bool {
    row.iter().all(|value| *value >= PAPER)
}

/// What is left of `count` rows or columns without the empty ones at both ends.
fn kept(count: usize, step: usize, is_empty: impl Fn(usize) -> bool) -> Range<usize> {
    let first = (0..count).find(|at| !is_empty(*at)).unwrap_or(count / 2);
    let last = (first..count).rev().find(|at| !is_empty(*at)).unwrap_or(first);
    let start = first.saturating_sub(KEPT);
    let length = (last + 1 + KEPT - start).max(LEAST_SIDE).next_multiple_of(step).min(count);
    let start = start.min(count - length);
    start..start + length
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A white page with dark pixels at these places.
    fn page(height: usize, width: usize, dark: &[(usize, usize)]) -> Tensor {
        let mut page = Tensor::picture(height, width);
        page.values.fill(1.0);
        for (row, column) in dark {
            page.values[height * width + row * width + column] = -1.0;
        }
        page
    }

    /// As a graph that finds what is dark in one of the colours.
    fn dark(page: Tensor, seen: &mut Vec<usize>) -> Result<Tensor> {
        seen.extend(&page.shape[2..]);
        let plane = page.shape[2] * page.shape[3];
        let values = page.values[plane..2 * plane].iter().map(|value| f32::from(*value < 0.0)).collect();
        Ok(Tensor { shape: vec![1, 1, page.shape[2], page.shape[3]], values })
    }

    #[test]
    fn the_map_is_that_of_the_whole_page() {
        for (places, sides) in [
            (vec![(200, 300), (900, 700)], [1_024, 1_024]),
            (vec![(0, 0), (1_727, 10)], [1_728, 1_024]),
            (vec![(1_727, 1_215)], [1_024, 1_024]),
            (vec![(3, 0), (1_727, 1_215)], [1_728, 1_216]),
            (vec![(200, 300), (1_300, 700)], [1_184, 1_024]),
            (vec![], [1_024, 1_024]),
        ] {
            let (page, mut seen) = (page(1_728, 1_216, &places), Vec::new());
            let whole = dark(page.clone(), &mut Vec::new()).unwrap();
            assert_eq!(map_without_margins(page, 32, |part| dark(part, &mut seen)).unwrap(), whole);
            assert_eq!(seen, sides, "{places:?}");
        }
    }

    #[test]
    fn a_map_of_another_size_is_an_error() {
        let half = |part: Tensor| Ok(Tensor { shape: vec![1, 1, 2, 2], values: vec![0.0; part.values.len().min(4)] });
        let error = map_without_margins(page(1_216, 1_024, &[(600, 500)]), 32, half).unwrap_err();
        assert_eq!(error.kind, Kind::InferenceFailed);
    }
}
