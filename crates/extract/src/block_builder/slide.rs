//! Collects the shapes of a slide. PowerPoint stores them in stacking order; they are written in reading order.

use super::{Block, ParagraphKind};

/// Shapes whose upper edges are nearer than this form a row, in English Metric Units (914,400 per inch).
const ROW_TOLERANCE: i64 = 91_440;

/// A shape with its text.
#[derive(Default)]
struct SlideShape {
    /// Its upper and left edge, if known.
    place: Option<(i64, i64)>,
    blocks: Vec<Block>,
}

/// The shapes of a slide in file order.
#[derive(Default)]
pub struct Slide(Vec<SlideShape>);

impl Slide {
    /// Begins a shape.
    pub fn begin(&mut self) {
        self.0.push(SlideShape::default());
    }

    /// Sets the position of the last shape.
    pub fn place(&mut self, top: i64, left: i64) {
        if let Some(figure) = self.0.last_mut() {
            figure.place = Some((top, left));
        }
    }

    /// Adds a block to the last shape.
    pub(super) fn put(&mut self, block: Block) {
        if self.0.is_empty() {
            self.begin();
        }
        if let Some(figure) = self.0.last_mut() {
            figure.blocks.push(block);
        }
    }

    /// The blocks in reading order: headings first, then from top to bottom and from left to right. Shapes without a
    /// position follow the shape before them.
    pub(super) fn in_order(self) -> impl Iterator<Item = Block> {
        let mut figures = self.0;
        figures.retain(|figure| !figure.blocks.is_empty());
        let slots: Vec<usize> =
            (0..).zip(&figures).filter(|(_, figure)| figure.place.is_some()).map(|(at, _)| at).collect();
        let mut placed: Vec<(i64, i64, usize)> = Vec::with_capacity(slots.len());
        placed.extend(slots.iter().filter_map(|at| figures.get(*at)?.place.map(|(top, left)| (top, left, *at))));
        placed.sort_unstable();
        // All shapes of a row get the upper edge of the uppermost.
        let mut row = None;
        for (top, ..) in &mut placed {
            let edge = row.filter(|edge| top.saturating_sub(*edge) < ROW_TOLERANCE).unwrap_or(*top);
            (row, *top) = (Some(edge), edge);
        }
        placed.sort_unstable();
        let mut blocks: Vec<Vec<Block>> = figures.iter_mut().map(|figure| std::mem::take(&mut figure.blocks)).collect();
        let sorted: Vec<Vec<Block>> =
            placed.iter().filter_map(|(.., from)| blocks.get_mut(*from).map(std::mem::take)).collect();
        for (to, from) in slots.into_iter().zip(sorted) {
            if let Some(slot) = blocks.get_mut(to) {
                *slot = from;
            }
        }
        let is_heading = |block: &Block| matches!(block, Block::Text(ParagraphKind::Heading(_), _));
        let (headings, others): (Vec<Block>, Vec<Block>) = blocks.into_iter().flatten().partition(is_heading);
        headings.into_iter().chain(others)
    }
}
