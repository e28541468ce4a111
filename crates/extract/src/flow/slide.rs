//! A slide while it is open. PowerPoint keeps shapes in the order in which they cover each other; who reads the slide
//! goes from top to bottom.

use super::{Block, Shape};

/// Shapes whose upper edges are nearer than this stand beside each other, in units of Office (914,400 to the inch).
const NEAR: i64 = 91_440;

/// What a shape says.
#[derive(Default)]
struct Figure {
    /// Its upper and its left edge.
    place: Option<(i64, i64)>,
    blocks: Vec<Block>,
}

/// The shapes of a slide, as they came.
#[derive(Default)]
pub struct Slide(Vec<Figure>);

impl Slide {
    /// A shape begins.
    pub fn begin(&mut self) {
        self.0.push(Figure::default());
    }

    /// The last shape is here.
    pub fn place(&mut self, top: i64, left: i64) {
        if let Some(figure) = self.0.last_mut() {
            figure.place = Some((top, left));
        }
    }

    /// Adds to the last shape.
    pub(super) fn put(&mut self, block: Block) {
        if self.0.is_empty() {
            self.begin();
        }
        if let Some(figure) = self.0.last_mut() {
            figure.blocks.push(block);
        }
    }

    /// What the shapes say as it is read: headings first, then from top to bottom and from left to right. Shapes that do
    /// not say where they are stay where they came among the others.
    pub(super) fn in_order(self) -> impl Iterator<Item = Block> {
        let mut figures = self.0;
        figures.retain(|figure| !figure.blocks.is_empty());
        let slots: Vec<usize> =
            (0..).zip(&figures).filter(|(_, figure)| figure.place.is_some()).map(|(at, _)| at).collect();
        let mut placed: Vec<(i64, i64, usize)> = Vec::with_capacity(slots.len());
        placed.extend(slots.iter().filter_map(|at| figures.get(*at)?.place.map(|(top, left)| (top, left, *at))));
        placed.sort_unstable();
        // What stands beside each other has the edge of the uppermost.
        let mut row = None;
        for (top, ..) in &mut placed {
            let edge = row.filter(|edge| top.saturating_sub(*edge) < NEAR).unwrap_or(*top);
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
        let is_heading = |block: &Block| matches!(block, Block::Text(Shape::Heading(_), _));
        let (headings, others): (Vec<Block>, Vec<Block>) = blocks.into_iter().flatten().partition(is_heading);
        headings.into_iter().chain(others)
    }
}
